import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@switchyard/agent-runtime/backend.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Job } from '../api-types.ts';
import { makeConfig, makeOrder } from '../manifest/testing/make-order.ts';
import { HOLD_FINALIZER, WITHDRAW_ASKED_ANNOTATION, WITHDRAW_LOST_ANNOTATION } from '../names.ts';
import { START_CLAIM_ANNOTATION, START_GATE } from '../start/start-claim.ts';
import { kubeBackend } from './kube-backend.ts';
import { fail, fakeCluster } from './testing/fake-cluster.ts';

const order = makeOrder({ command: ['true'] });
const PATH = `/apis/batch/v1/namespaces/default/jobs/${order.marker}`;
const POD = '/api/v1/namespaces/default/pods/one';
const gated = { spec: { schedulingGates: [{ name: START_GATE }] } };

const RUNS = [{ name: 'main', state: { running: { startedAt: '2026-11-21T10:00:00Z' } } }];
const QUICK = { secondLookMs: 20 };

let stateDir = '';
let cluster = fakeCluster();
let backend: Backend;
const open = () =>
  kubeBackend({ client: cluster.client, config: makeConfig(), stateDir, cluster: 'k', federation: 'test' });
const job = () => cluster.get(PATH) as unknown as Job;
const asked = (verb: string) => cluster.asked.filter((each) => each.startsWith(verb));

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-k8s-'));
  cluster = fakeCluster();
  backend = await open();
  await backend.submit(order, { observedBefore: false });
});

afterEach(async () => {
  await backend.close();
  rmSync(stateDir, { recursive: true });
});

test('a plain job costs one create, and one patch that lets its pod go', async () => {
  const before = cluster.asked.length;
  cluster.putPod(job(), 'one', gated);
  await vi.waitFor(() => expect(asked('PATCH')).toEqual([`PATCH ${POD}`]));
  expect(cluster.asked.slice(before)).toEqual([`PATCH ${POD}`]);
});

test('an old list after a restart lets nothing go that was taken back before', async () => {
  await backend.close();
  const old = structuredClone(job());
  cluster.put(PATH, { metadata: { annotations: { [WITHDRAW_ASKED_ANNOTATION]: 'withdraw' } } });
  cluster.putPod(job(), 'one', gated);
  cluster.answerWith(({ verb, path }) =>
    verb === 'GET' && PATH.startsWith(`${path}/`) ? { metadata: { resourceVersion: '1' }, items: [old] } : undefined,
  );
  backend = await open();
  await vi.waitFor(() => expect(cluster.asked).toContain(`GET ${PATH}`));
  await backend.observe();
  expect(cluster.get(POD)).toMatchObject(gated);
});

test('a pod that may get a node is held while it is taken back, so that no lost word hides whether it had one', async () => {
  cluster.putPod(job(), 'one', gated);
  await vi.waitFor(() => expect(asked('PATCH')).toEqual([`PATCH ${POD}`]));
  cluster.put(POD, { spec: { schedulingGates: [] } });
  let lost = 0;
  cluster.answerWith((what) => {
    if (what.verb !== 'DELETE') return undefined;
    lost += 1;
    const isHeld = cluster.get(POD)?.metadata['finalizers'] as string[] | undefined;
    if (isHeld?.includes(HOLD_FINALIZER))
      cluster.put(
        POD,
        { metadata: { deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: 0 } },
        false,
      );
    else cluster.drop(POD, false);
    return fail(what, 'timeout', 0, true);
  });
  await expect(backend.withdraw(order.runId)).rejects.toThrow();
  expect(lost).toBe(1);
  expect(await backend.withdraw(order.runId)).toMatchObject({ ends: [{ outcome: 'withdrawn', tasks: '0' }] });
  await vi.waitFor(() => expect(cluster.get(POD)?.metadata['finalizers']).toEqual([]));
});

test('a held pod that got a node meanwhile is let out when it is deleted, after its Job says that it came too late', async () => {
  cluster.putPod(job(), 'one', gated);
  await vi.waitFor(() => expect(asked('PATCH')).toEqual([`PATCH ${POD}`]));
  cluster.put(POD, { spec: { schedulingGates: [] } });
  cluster.answerWith(({ verb }) => {
    if (verb === 'DELETE') cluster.put(POD, { spec: { nodeName: 'n1' }, status: { containerStatuses: RUNS } });
    return undefined;
  });
  expect(await backend.withdraw(order.runId)).toMatchObject({ started: '0', ends: [] });
  expect(cluster.get(POD)?.metadata['finalizers']).toEqual([HOLD_FINALIZER]);
  const lostBefore = vi.fn();
  cluster.answerWith(({ verb, path, body }) => {
    if (verb === 'PATCH' && path === POD && JSON.stringify(body).includes(HOLD_FINALIZER))
      lostBefore(job().metadata.annotations?.[WITHDRAW_LOST_ANNOTATION]);
    return undefined;
  });
  cluster.put(POD, { metadata: { deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: 3 } });
  await vi.waitFor(() => expect(cluster.get(POD)?.metadata['finalizers']).toEqual([]));
  expect(lostBefore).toHaveBeenCalledWith('0');
});

test('a pod that a policy keeps from being held is taken back all the same', async () => {
  cluster.putPod(job(), 'one', gated);
  await vi.waitFor(() => expect(asked('PATCH')).toEqual([`PATCH ${POD}`]));
  cluster.put(POD, { spec: { schedulingGates: [] } });
  cluster.answerWith((what) => (what.verb === 'PATCH' && what.path === POD ? fail(what, 'invalid', 422) : undefined));
  expect(await backend.withdraw(order.runId)).toMatchObject({ ends: [{ outcome: 'withdrawn', tasks: '0' }] });
});

test('what was taken back without a pod is still taken back after a restart, without being asked again', async () => {
  await backend.close();
  cluster.put(PATH, { metadata: { annotations: { [WITHDRAW_ASKED_ANNOTATION]: 'withdraw' } } });
  backend = await open();
  await vi.waitFor(async () => {
    await backend.observe();
    expect((await backend.inventory(0))[0]?.status.ends).toMatchObject([{ outcome: 'withdrawn', tasks: '0' }]);
  }, 15_000);
});

test('a withdrawal that comes too late leaves word of what it came too late for', async () => {
  cluster.putPod(job(), 'one', { spec: { nodeName: 'n1' }, status: { phase: 'Running', containerStatuses: RUNS } });
  expect(await backend.withdraw(order.runId)).toMatchObject({ started: '0', ends: [] });
  expect(job().metadata.annotations).toMatchObject({
    [WITHDRAW_ASKED_ANNOTATION]: 'withdraw',
    [WITHDRAW_LOST_ANNOTATION]: '0',
  });
  await backend.close();
  cluster.drop(POD);
  const condition = { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' };
  cluster.put(PATH, { status: { conditions: [condition] } });
  backend = await kubeBackend({
    client: cluster.client,
    config: makeConfig(),
    stateDir,
    cluster: 'k',
    federation: 'test',
    patience: QUICK,
  });
  await vi.waitFor(async () =>
    expect((await backend.inventory(0))[0]?.status.ends).toMatchObject([{ reason: 'unknown_end' }]),
  );
});

test('tasks without pods are not taken back when Kueue has taken an earlier start of them back', async () => {
  await backend.close();
  cluster.put(PATH, { metadata: { generation: 3, annotations: { [START_CLAIM_ANNOTATION]: 'started:1' } } });
  backend = await open();
  expect(await backend.withdraw(order.runId)).toMatchObject({ ends: [] });
});
