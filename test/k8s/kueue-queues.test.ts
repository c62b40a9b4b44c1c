import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { detectKueue, kueuePath } from '@switchyard/agent-k8s/kueue/detect-kueue.ts';
import type { ClusterQueue, Cohort, LocalQueue } from '@switchyard/agent-k8s/kueue/kueue-types.ts';
import { queuePools } from '@switchyard/agent-k8s/kueue/queue-pools.ts';
import { withdrawWorkload } from '@switchyard/agent-k8s/kueue/withdraw-workload.ts';
import type { PoolReport } from '@switchyard/core/placement/capacity-report.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { type GatedAgent, startGatedAgent } from './gated-agent.ts';
import { GPU, KueueCluster, kueue } from './kueue-cluster.ts';
import { kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();

describe.skipIf(!kubernetes.ok)(`queued Jobs on a real Kueue (${kubernetes.why})`, () => {
  let queues: KueueCluster;
  let agent: GatedAgent | undefined;

  beforeAll(async () => {
    queues = await KueueCluster.start('queues');
  });
  afterEach(async () => {
    await agent?.close();
    agent = undefined;
    await queues.clear();
  });
  afterAll(async () => {
    await queues?.close();
  });

  it('is found, with the version that it serves', async () => {
    expect(await detectKueue(queues.client)).toEqual({ version: 'v1beta1', cohorts: true });
  });

  it('starts three jobs of a queue for one, one after another, and says who waits for what', async () => {
    agent = await startGatedAgent(queues.client);
    const script = 'until [ -e /starts/open ]; do sleep 0.1; done';
    const first = await queues.submit('one', { script });
    await until('the first runs', () => queues.starts(first) === 1);
    const waiting = [await queues.submit('one', { script }), await queues.submit('one', { script })];
    const jobs = [first, ...waiting];
    const sentence =
      "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor metal, 1 more needed";
    // Times have whole seconds: which of the two is the first is the cluster's to say.
    await until('the others say at which places they wait', () => {
      const reasons = waiting.map((name) => agent!.state(name)).map((seen) => seen?.state === 'Queued' && seen.reason);
      return [1, 2].every((place) => reasons.includes(`place ${place} in LocalQueue one; ${sentence}`));
    });
    writeFileSync(join(queues.cluster.dir, 'starts', 'open'), '');
    for (const name of jobs) await until(`${name} is complete`, () => queues.hasCondition(name, 'Complete'));
    expect(jobs.map((name) => queues.starts(name))).toEqual([1, 1, 1]);
    await until('no quota is used', async () => (await queues.reserved('one')) === '0');
  });

  it('gives a waiting job back: no Workload and no quota stays', async () => {
    agent = await startGatedAgent(queues.client);
    const first = await queues.submit('one', { script: 'sleep 30' });
    await until('the first runs', () => queues.starts(first) === 1);
    const waiting = await queues.submit('one');
    await until('the second waits', () => agent!.state(waiting)?.state === 'Queued');
    expect(await withdrawWorkload(queues.client, 'v1beta1', await queues.nameOf(waiting))).toEqual({
      kind: 'withdrawn',
    });
    await until('it says so', () => agent!.state(waiting)?.state === 'Withdrawn');
    await until('nothing waits', async () => (await queues.queue('one')).status?.pendingWorkloads === 0);
    await queues.remove(waiting);
    await until(
      'its Workload is gone',
      async () => (await queues.list(kueuePath('v1beta1', 'workloads', 'jobs'))).length === 1,
    );
    await queues.remove(first);
    await until('no quota is used', async () => (await queues.reserved('one')) === '0');
    expect(queues.starts(waiting)).toBe(0);
    expect(await withdrawWorkload(queues.client, 'v1beta1', { namespace: 'jobs', name: waiting, uid: 'x' })).toEqual({
      kind: 'gone',
    });
  });

  it('withdrawal racing with admission and start: each job is either withdrawn or ran, never both', async () => {
    agent = await startGatedAgent(queues.client);
    const outcomes = await Promise.all(
      [...Array(60).keys()].map(async (n) => {
        await pause(n * 100);
        const name = await queues.submit('wide', { cpu: '100m', script: 'true' });
        const id = await queues.nameOf(name);
        // A third at once, a third when Kueue has admitted it, a third while the agent lets its pod go.
        if (n % 3 === 1) await until(`${name} is admitted`, () => agent!.store.ofJob(id.uid)?.admitted, { everyMs: 2 });
        if (n % 3 === 2) await until(`${name} has a pod`, () => agent!.hasPod(id.uid), { everyMs: 1 });
        await pause(n % 7);
        return { name, ...(await withdrawWorkload(queues.client, 'v1beta1', id)) };
      }),
    );
    const lost = outcomes.filter(({ kind }) => kind === 'lost');
    const withdrawn = outcomes.filter(({ kind }) => kind === 'withdrawn');
    expect(lost.length + withdrawn.length).toBe(60);
    for (const { name } of lost) await until(`${name} is complete`, () => queues.hasCondition(name, 'Complete'));
    await until('no quota is used', async () => (await queues.reserved('wide')) === '0');
    expect(lost.filter(({ name }) => queues.starts(name) !== 1)).toEqual([]);
    expect(withdrawn.filter(({ name }) => queues.starts(name) !== 0)).toEqual([]);
    expect(
      Math.min(lost.length, withdrawn.length),
      `${lost.length} lost, ${withdrawn.length} withdrawn`,
    ).toBeGreaterThan(4);
  });

  it('reports what is left of a ClusterQueue and of its cohort, as Kueue itself counts', async () => {
    agent = await startGatedAgent(queues.client);
    for (const cpu of ['3', '4']) await queues.submit('left', { cpu, script: 'sleep 60' });
    await until('both have quota', async () => (await queues.reserved('left')) === '7');
    const waiting = await queues.submit('right', { cpu: '4' });
    await until('the third waits', () => agent!.state(waiting)?.state === 'Queued');
    const report = await until('Kueue has counted', async () => {
      const { pools } = await poolsNow();
      return pools[1]?.waitingJobs === 1 && pools;
    });
    expect(report.map(({ name, up, total, free }) => [name, up, total.cpus, free.cpus])).toEqual([
      ['left', true, 10, 3],
      ['right', true, 10, 3],
    ]);
    expect(report[1]).toMatchObject({ waitingJobs: 1, waitingCpus: 4, nativeState: 'Active' });
    await queues.cluster.apply([kueue('LocalQueue', 'right', { clusterQueue: 'right', stopPolicy: 'Hold' }, 'jobs')]);
    const held = await until(
      'it is held',
      async () => (await poolsNow()).pools[1]?.up === false && (await poolsNow()).pools[1],
    );
    expect(held).toMatchObject({ up: false, nativeState: 'Hold' });
  });

  async function poolsNow() {
    const of = <T>(kind: 'localqueues' | 'clusterqueues' | 'cohorts', namespace?: string) =>
      queues.client.request<{ items: T[] }>({ verb: 'GET', path: kueuePath('v1beta1', kind, namespace) });
    const [localQueues, clusterQueues, cohorts] = await Promise.all([
      of<LocalQueue>('localqueues', 'jobs'),
      of<ClusterQueue>('clusterqueues'),
      of<Cohort>('cohorts'),
    ]);
    return queuePools(
      {
        localQueues: localQueues.items,
        clusterQueues: clusterQueues.items,
        cohorts: cohorts.items,
        demandOf: (namespace, name) => agent!.store.demandOf(namespace, name),
      },
      ['left', 'right'].map((name) => ({ namespace: 'jobs', queue: name })),
      NODES,
      GPU,
    );
  }
});

const NODES: PoolReport = {
  ...{ name: 'default', isDefault: true, up: true, nativeState: 'Ready' },
  total: { nodes: 1, cpus: 16, memoryMiB: 16_384, gpus: 0 },
  free: { nodes: 1, cpus: 16, memoryMiB: 16_384, gpus: 0 },
  largestNode: { cpus: 16, memoryMiB: 16_384, gpus: 0 },
  largestFreeSlot: { cpus: 16, memoryMiB: 16_384, gpus: 0 },
  ...{ maxWalltimeSeconds: null, defaultWalltimeSeconds: null, maxNodesPerJob: null },
  ...{ maxCpusPerNode: null, maxMemoryMiBPerNode: null, gpuTypes: [], features: [] },
  ...{ runningJobs: 0, waitingJobs: 0, waitingCpus: 0, waitingCpuSeconds: 0, steps: [] },
};
