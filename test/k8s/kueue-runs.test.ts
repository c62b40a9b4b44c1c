import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, KubeList } from '@switchyard/agent-k8s/api-types.ts';
import type { ClusterQueue } from '@switchyard/agent-k8s/kueue/kueue-types.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { KubeRuns } from './kube-runs.ts';
import { CPUS, JOBS, type KubeWorld, kubeWorld, QUEUE, withKueue } from './kube-world.ts';
import { kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();
const KUEUE = '/apis/kueue.x-k8s.io/v1beta1';
const ALL = { cpusPerTask: CPUS, walltimeSeconds: 300 };

/** Runs through a queue whose quota fits one of them at a time. */
describe.skipIf(!kubernetes.ok)(`runs in a queue of a real Kueue (${kubernetes.why})`, () => {
  let world: KubeWorld;
  let runs: KubeRuns;

  beforeAll(async () => {
    world = await kubeWorld('queued', async (kube) => {
      await withKueue(kube);
      const metadata = { name: 'urgent' };
      await kube.apply([{ apiVersion: 'kueue.x-k8s.io/v1beta1', kind: 'WorkloadPriorityClass', metadata, value: 100 }]);
    });
    runs = await KubeRuns.open(world, {
      config: { queue: QUEUE, defaultPool: 'both', allowedPriorityClasses: ['urgent'] },
    });
  });
  afterAll(async () => {
    await runs?.close();
    await world?.close();
  });

  const get = async <T>(path: string) => (await world.kube.api<T>('GET', path)).body;
  const workloads = async () => (await get<KubeList<Job>>(`${KUEUE}/namespaces/${JOBS}/workloads`)).items.length;
  const usedCpus = async () => {
    const { status } = await get<ClusterQueue>(`${KUEUE}/clusterqueues/${QUEUE}`);
    return Number(status?.flavorsReservation?.[0]?.resources?.find(({ name }) => name === 'cpu')?.total ?? 0);
  };
  const release = (name: string) => appendFileSync(join(runs.folder, name), '');
  const until_ = (name: string) => `while [ ! -e ${name} ]; do sleep 0.2; done`;

  it('three run one after another, and each says what it waits for', async () => {
    const orders = [await runs.submit(until_('one'), { resources: ALL })];
    await runs.started(orders[0]!);
    orders.push(await runs.submit('true', { resources: ALL }), await runs.submit('true', { resources: ALL }));
    for (const order of orders.slice(1)) {
      const waiting = await runs.until(order, 'it has a place', ({ nativeReason }) =>
        /place [12] .*quota/.test(nativeReason),
      );
      expect(waiting).toMatchObject({ nativeState: 'Queued', started: '' });
    }
    release('one');
    for (const order of orders) expect(await runs.ended(order)).toMatchObject({ outcome: 'succeeded' });
    // Of two that came in the same second Kueue takes either first.
    const times = orders
      .map((order) => runs.status(order).ends[0]!)
      .sort((left, right) => left.startedAtMs! - right.startedAtMs!);
    expect(times[1]!.startedAtMs).toBeGreaterThanOrEqual(times[0]!.endedAtMs!);
    expect(times[2]!.startedAtMs).toBeGreaterThanOrEqual(times[1]!.endedAtMs!);
  });

  it('a withdrawn run leaves no Workload behind and no quota', async () => {
    const blocker = await runs.submit(until_('two'), { resources: ALL });
    await runs.started(blocker);
    const order = await runs.submit('true', { resources: ALL });
    await runs.until(order, 'it is queued', ({ nativeState }) => nativeState === 'Queued');
    expect((await runs.backend.withdraw(order.runId)).ends).toMatchObject([{ outcome: 'withdrawn' }]);
    release('two');
    await runs.ended(blocker);
    await until('all quota is free', async () => (await usedCpus()) === 0);
    const all = (await runs.backend.inventory(Number.MAX_SAFE_INTEGER)).map((known) => known.order.runId);
    expect(await runs.backend.forget(all)).toEqual(all);
    await until('no Workload is left', async () => (await workloads()) === 0);
    expect(runs.starts(order)).toBe(0);
  });

  it('a run that Kueue takes back after its start was preempted, and does not start again', async () => {
    const low = await runs.submit(until_('never'), { resources: ALL });
    await runs.started(low);
    const native = { kubernetes: { kueuePriorityClassName: 'urgent' } };
    const high = await runs.submit(until_('three'), { resources: ALL, native });
    const end = await runs.ended(low);
    expect(end).toMatchObject({ outcome: 'failed', reason: 'preempted' });
    expect(end.detail).toContain('Kueue evicted it');
    await runs.started(high);
    release('three');
    expect(await runs.ended(high)).toMatchObject({ outcome: 'succeeded' });
    await until('all quota is free', async () => (await usedCpus()) === 0);
    expect(runs.starts(low)).toBe(1);
    expect(runs.starts(high)).toBe(1);
  });

  it('an array that is larger than the quota runs as many tasks at a time as fit', async () => {
    const order = await runs.submit('true', { resources: ALL, array: { tasks: '1-3' } });
    expect(await runs.ends(order, 120_000)).toMatchObject([{ outcome: 'succeeded', tasks: '1-3' }]);
    expect(runs.starts(order)).toBe(3);
  });

  it('a job of two nodes goes through the queue as one', async () => {
    const order = await runs.submit('true', { resources: { nodes: 2, cpusPerTask: 1 } });
    expect(await runs.ended(order, 120_000)).toMatchObject({ outcome: 'succeeded' });
    expect(runs.starts(order)).toBe(2);
  });

  it('a queued run that is taken back stays so, whoever asks again', async () => {
    const blocker = await runs.submit(until_('four'), { resources: ALL });
    await runs.started(blocker);
    const order = await runs.submit('true', { resources: ALL });
    await runs.backend.withdraw(order.runId);
    await runs.restart();
    expect(await runs.ended(order)).toMatchObject({ outcome: 'withdrawn' });
    expect((await runs.offer(order)).ends).toMatchObject([{ outcome: 'withdrawn' }]);
    release('four');
    await runs.ended(blocker);
    expect(runs.starts(order)).toBe(0);
  });

  it('capacity: the LocalQueue is a pool, and its free quota is what is left', async () => {
    const order = await runs.submit(until_('five'), { resources: { cpusPerTask: 3 } });
    await runs.started(order);
    const pool = await until('the report shows it', async () => {
      const { pools } = await runs.backend.capacity();
      const own = pools.find(({ name }) => name === QUEUE);
      return own?.free.cpus === CPUS - 3 && own;
    });
    expect(pool).toMatchObject({ isDefault: true, total: { cpus: CPUS } });
    release('five');
    await runs.ended(order);
  });
});
