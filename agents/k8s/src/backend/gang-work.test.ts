import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@switchyard/agent-runtime/backend.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Job } from '../api-types.ts';
import { makeConfig, makeOrder } from '../manifest/testing/make-order.ts';
import { COMPLETION_INDEX_ANNOTATION, GO_ANNOTATION, WITHDRAW_ASKED_ANNOTATION } from '../names.ts';
import { kubeBackend } from './kube-backend.ts';
import { fakeCluster } from './testing/fake-cluster.ts';

const order = makeOrder({ command: ['true'], resources: { nodes: 2, walltimeSeconds: 60 } });
const PATH = `/apis/batch/v1/namespaces/default/jobs/${order.marker}`;
const POD = '/api/v1/namespaces/default/pods/pod';

let stateDir = '';
let cluster = fakeCluster();
let backend: Backend;
const open = () =>
  kubeBackend({ client: cluster.client, config: makeConfig(), stateDir, cluster: 'k', federation: 'test' });
const job = () => cluster.get(PATH) as unknown as Job;
const isToldToGo = (index: number) =>
  GO_ANNOTATION in (cluster.get(`${POD}-${index}`)!.metadata['annotations'] as object);

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-k8s-'));
  cluster = fakeCluster();
  backend = await open();
  await backend.submit(order, { observedBefore: false });
  await backend.close();
});

afterEach(async () => {
  await backend.close();
  rmSync(stateDir, { recursive: true });
});

function bothPodsAreUp(): void {
  const running = [{ name: 'main', state: { running: { startedAt: '2026-11-21T10:00:00Z' } } }];
  for (const index of [0, 1])
    cluster.putPod(job(), `pod-${index}`, {
      metadata: { annotations: { [COMPLETION_INDEX_ANNOTATION]: String(index) } },
      ...{ spec: { nodeName: 'n1' }, status: { phase: 'Running', containerStatuses: running } },
    });
}

test('a gang that is up is let go, also by an agent that started again', async () => {
  bothPodsAreUp();
  backend = await open();
  await vi.waitFor(() => expect([isToldToGo(0), isToldToGo(1)]).toEqual([true, true]));
});

test('an old list after a restart lets no gang go that is being taken back', async () => {
  const old = structuredClone(job());
  cluster.put(PATH, { metadata: { annotations: { [WITHDRAW_ASKED_ANNOTATION]: 'withdraw' } } });
  bothPodsAreUp();
  cluster.answerWith(({ verb, path }) =>
    verb === 'GET' && PATH.startsWith(`${path}/`) ? { metadata: { resourceVersion: '1' }, items: [old] } : undefined,
  );
  backend = await open();
  await vi.waitFor(() => expect(cluster.asked).toContain(`GET ${PATH}`));
  await backend.observe();
  expect([isToldToGo(0), isToldToGo(1)]).toEqual([false, false]);
});
