import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Backend } from '@switchyard/agent-runtime/backend.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { KubeClient } from '../client/kube-client.ts';
import { makeConfig, makeOrder } from '../manifest/testing/make-order.ts';
import { kubeBackend } from './kube-backend.ts';
import { fail, fakeCluster } from './testing/fake-cluster.ts';

const JOBS = '/apis/batch/v1/namespaces/default/jobs';
const RUNS = 40;

let stateDir = '';
let cluster = fakeCluster();
let backend: Backend;
let looks = 0;
let mostLooks = 0;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-k8s-'));
  cluster = fakeCluster();
  [looks, mostLooks] = [0, 0];
  backend = await kubeBackend({
    client: slow(cluster.client),
    config: makeConfig(),
    stateDir,
    cluster: 'k',
    federation: 'test',
  });
});

afterEach(async () => {
  await backend.close();
  rmSync(stateDir, { recursive: true });
});

test('what an empty list leaves out is looked up a few at a time', async () => {
  const orders = Array.from({ length: RUNS }, (_, at) =>
    makeOrder({ command: ['true'] }, { runId: `01900000-0000-7000-8000-${String(at).padStart(12, '0')}` }),
  );
  for (const order of orders) await backend.submit(order, { observedBefore: false });
  const before = cluster.asked.length;
  cluster.answerWith((what) => {
    if (what.path !== JOBS || what.verb !== 'GET') return undefined;
    if (what.query?.['watch'] !== undefined && cluster.asked.length === before) return fail(what, 'gone', 410);
    return { metadata: { resourceVersion: '9999' }, items: [] };
  });
  cluster.cut(JOBS);
  const lookedUp = () => cluster.asked.slice(before).filter((each) => each.startsWith(`GET ${JOBS}/`));
  await vi.waitFor(() => expect(new Set(lookedUp()).size).toBe(RUNS), 10_000);
  expect(mostLooks).toBeLessThanOrEqual(8);
  expect((await backend.inventory(0)).every(({ status }) => status.ends.length === 0)).toBe(true);
});

/** Answers take a moment, as those of a server do. */
function slow(client: KubeClient): KubeClient {
  return {
    ...client,
    request: async (what) => {
      if (what.verb !== 'GET') return client.request(what);
      looks += 1;
      mostLooks = Math.max(mostLooks, looks);
      await delay(5);
      looks -= 1;
      return client.request(what);
    },
  };
}
