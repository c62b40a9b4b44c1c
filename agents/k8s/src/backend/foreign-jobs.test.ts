import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@switchyard/agent-runtime/backend.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Job } from '../api-types.ts';
import { makeConfig, makeOrder } from '../manifest/testing/make-order.ts';
import { kubeBackend } from './kube-backend.ts';
import { fakeCluster } from './testing/fake-cluster.ts';

const order = makeOrder({ command: ['true'] });
const PATH = `/apis/batch/v1/namespaces/default/jobs/${order.marker}`;

let stateDir = '';
let cluster = fakeCluster();
let backend: Backend;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-k8s-'));
  cluster = fakeCluster();
  const patience = { secondLookMs: 20, lateCreateMs: 0 };
  backend = await kubeBackend({ client: cluster.client, config: makeConfig(), stateDir, cluster: 'k', patience });
});

afterEach(async () => {
  await backend.close();
  rmSync(stateDir, { recursive: true });
});

test('a foreign Job of the name of a lost run is not taken for it, and not touched', async () => {
  cluster.put(PATH, { metadata: { name: order.marker, namespace: 'default' }, spec: { template: { spec: {} } } });
  await backend.submit(order, { observedBefore: true });
  await vi.waitFor(async () =>
    expect((await backend.inventory(0))[0]?.status).toMatchObject({ placed: false, ends: [{ reason: 'unknown_end' }] }),
  );
  await backend.forget([order.runId]);
  await backend.observe();
  expect(cluster.asked.filter((each) => !each.startsWith('GET'))).toEqual([]);
});

test('a run that cannot be followed keeps no other from it', async () => {
  const other = makeOrder({ command: ['true'] }, { runId: '01900000-0000-7000-8000-000000000002' });
  await backend.submit(order, { observedBefore: false });
  await backend.submit(other, { observedBefore: false });
  await backend.observe();
  const job = cluster.get(PATH) as unknown as Job;
  // What no version of this API ever had.
  cluster.putPod(job, 'odd', { spec: { nodeName: 'n' }, status: { phase: 'Failed', reason: 'Evicted', message: 5 } });
  const path = PATH.replace(order.marker, other.marker);
  cluster.put(path, { status: { conditions: [{ type: 'Complete', status: 'True' }] } });
  await vi.waitFor(async () =>
    expect(
      (await backend.inventory(0)).find(({ order: { runId } }) => runId === other.runId)?.status.ends,
    ).toMatchObject([{ outcome: 'succeeded' }]),
  );
});
