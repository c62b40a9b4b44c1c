import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@switchyard/agent-runtime/backend.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Job, Pod } from '../api-types.ts';
import { goWaitSeconds } from '../manifest/launcher.ts';
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
let nowMs = () => Date.now();
const config = makeConfig();
const open = () =>
  kubeBackend({ client: cluster.client, config, stateDir, cluster: 'k', federation: 'test', now: () => nowMs() });
const job = () => cluster.get(PATH) as unknown as Job;
const isToldToGo = (index: number) =>
  GO_ANNOTATION in (cluster.get(`${POD}-${index}`)!.metadata['annotations'] as object);

beforeEach(async () => {
  nowMs = () => Date.now();
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
  bothPods({ phase: 'Running', containerStatuses: running });
}

function bothPods(status: object): void {
  const activeDeadlineSeconds = 60 + goWaitSeconds(config.gangSeconds);
  for (const index of [0, 1])
    cluster.putPod(job(), `pod-${index}`, {
      metadata: { annotations: { [COMPLETION_INDEX_ANNOTATION]: String(index) } },
      ...{ spec: { nodeName: 'n1', activeDeadlineSeconds }, status },
    });
}

test('a gang that is up is let go, also by an agent that started again', async () => {
  bothPodsAreUp();
  backend = await open();
  await vi.waitFor(() => expect([isToldToGo(0), isToldToGo(1)]).toEqual([true, true]));
});

test('the time that pods waited for each other is not taken from their walltime, though the clock of the node is ahead', async () => {
  let waitedMs = 0;
  nowMs = () => Date.now() + waitedMs;
  backend = await open();
  bothPods({ startTime: new Date(Date.now() + 600_000).toISOString() });
  await vi.waitFor(async () => {
    await backend.observe();
    expect((await backend.inventory(0))[0]?.status.nativeReason).toContain('0 of 2 pods are up');
  });
  waitedMs = 30_000;
  bothPodsAreUp();
  await vi.waitFor(() => expect(isToldToGo(0)).toBe(true));
  const { spec } = cluster.get(`${POD}-0`) as unknown as Pod;
  expect(spec.activeDeadlineSeconds).toBeGreaterThanOrEqual(90);
  expect(spec.activeDeadlineSeconds).toBeLessThan(95);
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
