import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Pod } from '@switchyard/agent-k8s/api-types.ts';
import { type Informer, startInformer } from '@switchyard/agent-k8s/client/informer.ts';
import { type OpenedKubeClient, openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { detectKueue, kueuePath } from '@switchyard/agent-k8s/kueue/detect-kueue.ts';
import { type EvictionVerdict, evictionEnd, mustBeDeactivated } from '@switchyard/agent-k8s/kueue/eviction-end.ts';
import type { ClusterQueue, Cohort, LocalQueue, QueuedJob } from '@switchyard/agent-k8s/kueue/kueue-types.ts';
import { letPodsGo } from '@switchyard/agent-k8s/kueue/let-pods-go.ts';
import { queuedState } from '@switchyard/agent-k8s/kueue/native-state.ts';
import { queuePools } from '@switchyard/agent-k8s/kueue/queue-pools.ts';
import { hasGate, startClaimOf, withStartGate } from '@switchyard/agent-k8s/kueue/start-claim.ts';
import { deactivateWorkloads, withdrawWorkload } from '@switchyard/agent-k8s/kueue/withdraw-workload.ts';
import { WorkloadStore } from '@switchyard/agent-k8s/kueue/workload-store.ts';
import type { PoolReport } from '@switchyard/core/placement/capacity-report.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { type KubeCluster, kubernetesAvailable, startKubeCluster } from './testbed.ts';

const kubernetes = kubernetesAvailable();
const JOBS = '/apis/batch/v1/namespaces/jobs/jobs';
const PODS = '/api/v1/namespaces/jobs/pods';
const GPU = 'nvidia.com/gpu';

/** The smallest rights that this part of the agent works with. */
const RIGHTS = [
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'get', 'list', 'watch', 'patch', 'delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'patch'] },
  { apiGroups: ['kueue.x-k8s.io'], resources: ['workloads'], verbs: ['list', 'watch', 'patch'] },
  { apiGroups: ['kueue.x-k8s.io'], resources: ['localqueues'], verbs: ['list', 'watch'] },
];
const CLUSTER_RIGHTS = [
  { apiGroups: ['kueue.x-k8s.io'], resources: ['clusterqueues', 'cohorts'], verbs: ['list', 'watch'] },
];

describe.skipIf(!kubernetes.ok)(`queued Jobs on a real Kueue (${kubernetes.why})`, () => {
  let cluster: KubeCluster;
  let client: OpenedKubeClient;
  let agent: Agent | undefined;
  let made = 0;

  beforeAll(async () => {
    cluster = await startKubeCluster({ name: 'queues' });
    await Promise.all([cluster.addNode('n1', { cpus: 16 }), cluster.startKueue()]);
    await cluster.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'jobs' } },
      kueue('ResourceFlavor', 'metal', {}),
      kueue('ClusterQueue', 'one', clusterQueue({ cpu: '1', memory: '1Gi' })),
      kueue('ClusterQueue', 'few', clusterQueue({ cpu: '4', memory: '4Gi' })),
      kueue('ClusterQueue', 'wide', clusterQueue({ cpu: '64', memory: '64Gi' })),
      kueue('ClusterQueue', 'left', clusterQueue({ cpu: '4', memory: '4Gi' }, { cohort: 'both' })),
      kueue('ClusterQueue', 'right', clusterQueue({ cpu: '6', memory: '6Gi' }, { cohort: 'both' })),
      ...['one', 'few', 'wide', 'left', 'right'].map((name) =>
        kueue('LocalQueue', name, { clusterQueue: name }, 'jobs'),
      ),
      { ...kueue('WorkloadPriorityClass', 'urgent', {}), value: 100 },
      rbac('Role', { rules: RIGHTS }, 'jobs'),
      rbac('RoleBinding', bindingTo('Role'), 'jobs'),
      rbac('ClusterRole', { rules: CLUSTER_RIGHTS }),
      rbac('ClusterRoleBinding', bindingTo('ClusterRole')),
    ]);
    await cluster.sharedVolume('jobs', 'starts', join(cluster.dir, 'starts'));
    client = await openKubeClient({ kubeconfig: await cluster.kubeconfigFor('jobs', 'yard-agent') });
  });
  afterEach(async () => {
    await agent?.close();
    agent = undefined;
    for (const { metadata } of await list<QueuedJob>(JOBS)) {
      await cluster.api('DELETE', `${JOBS}/${metadata.name}`, { propagationPolicy: 'Background' });
    }
    await until('no pods', async () => (await list(PODS)).length === 0);
    await until('no Workloads', async () => (await list(kueuePath('v1beta1', 'workloads', 'jobs'))).length === 0);
  });
  afterAll(async () => {
    await client?.close();
    await cluster?.close();
  });

  it('is found, with the version that it serves', async () => {
    expect(await detectKueue(client)).toEqual({ version: 'v1beta1', cohorts: true });
  });

  it('starts three jobs of a queue for one, one after another, and says who waits for what', async () => {
    agent = await startAgent();
    const script = 'until [ -e /starts/open ]; do sleep 0.1; done';
    const first = await submit('one', { script });
    await until('the first runs', () => starts(first) === 1);
    const waiting = [await submit('one', { script }), await submit('one', { script })];
    const jobs = [first, ...waiting];
    const sentence =
      "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor metal, 1 more needed";
    // Times have whole seconds: which of the two is the first is the cluster's to say.
    await until('the others say at which places they wait', () => {
      const reasons = waiting.map((name) => agent!.state(name)).map((seen) => seen?.state === 'Queued' && seen.reason);
      return [1, 2].every((place) => reasons.includes(`place ${place} in LocalQueue one; ${sentence}`));
    });
    writeFileSync(join(cluster.dir, 'starts', 'open'), '');
    for (const name of jobs) await until(`${name} is complete`, () => hasCondition(name, 'Complete'));
    expect(jobs.map(starts)).toEqual([1, 1, 1]);
    await until('no quota is used', async () => (await reserved('one')) === '0');
  });

  it('gives a waiting job back: no Workload and no quota stays', async () => {
    agent = await startAgent();
    const first = await submit('one', { script: 'sleep 30' });
    await until('the first runs', () => starts(first) === 1);
    const waiting = await submit('one');
    await until('the second waits', () => agent!.state(waiting)?.state === 'Queued');
    expect(await withdrawWorkload(client, 'v1beta1', await nameOf(waiting))).toEqual({ kind: 'withdrawn' });
    await until('it says so', () => agent!.state(waiting)?.state === 'Withdrawn');
    await until('nothing waits', async () => (await queue('one')).status?.pendingWorkloads === 0);
    await remove(waiting);
    await until(
      'its Workload is gone',
      async () => (await list(kueuePath('v1beta1', 'workloads', 'jobs'))).length === 1,
    );
    await remove(first);
    await until('no quota is used', async () => (await reserved('one')) === '0');
    expect(starts(waiting)).toBe(0);
    expect(await withdrawWorkload(client, 'v1beta1', { namespace: 'jobs', name: waiting, uid: 'x' })).toEqual({
      kind: 'gone',
    });
  });

  it('without the gate Kueue starts an evicted payload a second time, whatever backoffLimit says', async () => {
    const low = await submit('one', { script: 'sleep 60', gate: false });
    await until('it runs', () => starts(low) === 1);
    const high = await submit('one', { urgent: true, gate: false });
    await until('the urgent one is complete', () => hasCondition(high, 'Complete'));
    await until('it ran twice', () => starts(low) === 2);
    expect((await job(low)).status?.failed ?? 0).toBe(0);
  });

  it('an evicted run ends as preempted, starts once, and asks for no quota', async () => {
    agent = await startAgent();
    const low = await submit('one', { script: 'sleep 60' });
    await until('it runs', () => starts(low) === 1);
    const high = await submit('one', { urgent: true, script: 'sleep 1' });
    const end = await until('it has ended', () => {
      const seen = agent!.eviction(low);
      return seen?.kind === 'preempted' && seen.confirmed ? seen : undefined;
    });
    expect(end.detail).toMatch(/^Kueue evicted it \(Preempted, InClusterQueue\): Preempted to accommodate a workload/);
    await until('the urgent one is complete', () => hasCondition(high, 'Complete'));
    await until('nothing waits or runs', async () => {
      const { status } = await queue('one');
      return status?.pendingWorkloads === 0 && status.admittedWorkloads === 0;
    });
    await pause(2000);
    expect([starts(low), starts(high)]).toEqual([1, 1]);
  });

  it('an eviction and a second admission while the agent is away start nothing, and are seen afterwards', async () => {
    agent = await startAgent();
    const low = await submit('one', { script: 'sleep 60' });
    await until('it runs', () => starts(low) === 1);
    await agent.close();
    const high = await submit('one', { urgent: true, gate: false, script: 'sleep 1' });
    await until('the urgent one is complete', () => hasCondition(high, 'Complete'));
    await until('Kueue has started the evicted one again', async () =>
      (await podsOf(low)).some(({ spec }) => spec.schedulingGates),
    );
    agent = await startAgent();
    await until('it has ended', () => agent!.eviction(low)?.kind === 'preempted');
    await until('its new pod is gone', async () => (await podsOf(low)).length === 0);
    expect(starts(low)).toBe(1);
  });

  it('an eviction before the start costs nothing: the run waits and starts once', async () => {
    const low = await submit('one');
    await until('its pod is made and held', async () => (await podsOf(low)).length === 1);
    const high = await submit('one', { urgent: true, gate: false, script: 'sleep 1' });
    await until('the urgent one runs', () => starts(high) === 1);
    agent = await startAgent();
    await until('the eviction is shown', () => agent!.state(low)?.state === 'Evicted');
    expect(agent.eviction(low)).toEqual({ kind: 'none' });
    await until('it is complete', () => hasCondition(low, 'Complete'));
    expect(starts(low)).toBe(1);
  });

  it('withdrawal racing with admission and start: each job is either withdrawn or ran, never both', async () => {
    agent = await startAgent();
    const outcomes = await Promise.all(
      [...Array(60).keys()].map(async (n) => {
        await pause(n * 100);
        const name = await submit('wide', { cpu: '100m', script: 'true' });
        const id = await nameOf(name);
        // A third at once, a third when Kueue has admitted it, a third while the agent lets its pod go.
        if (n % 3 === 1) await until(`${name} is admitted`, () => agent!.store.ofJob(id.uid)?.admitted, { everyMs: 2 });
        if (n % 3 === 2) await until(`${name} has a pod`, () => agent!.hasPod(id.uid), { everyMs: 1 });
        await pause(n % 7);
        return { name, ...(await withdrawWorkload(client, 'v1beta1', id)) };
      }),
    );
    const lost = outcomes.filter(({ kind }) => kind === 'lost');
    const withdrawn = outcomes.filter(({ kind }) => kind === 'withdrawn');
    expect(lost.length + withdrawn.length).toBe(60);
    for (const { name } of lost) await until(`${name} is complete`, () => hasCondition(name, 'Complete'));
    await until('no quota is used', async () => (await reserved('wide')) === '0');
    expect(lost.filter(({ name }) => starts(name) !== 1)).toEqual([]);
    expect(withdrawn.filter(({ name }) => starts(name) !== 0)).toEqual([]);
    expect(
      Math.min(lost.length, withdrawn.length),
      `${lost.length} lost, ${withdrawn.length} withdrawn`,
    ).toBeGreaterThan(4);
  });

  it('evictions racing with starts: no payload starts twice, and each run is complete or preempted', async () => {
    agent = await startAgent();
    const low = await Promise.all([...Array(12).keys()].map(() => submit('few', { script: 'sleep 1' })));
    const urgent = await Promise.all(
      [...Array(12).keys()].map(async (n) => {
        await pause(n * 700);
        return submit('few', { urgent: true, gate: false });
      }),
    );
    for (const name of urgent) await until(`${name} is complete`, () => hasCondition(name, 'Complete'));
    const ended = async (name: string) => {
      if (await hasCondition(name, 'Complete')) return 'complete';
      const eviction = agent!.eviction(name);
      return eviction?.kind === 'preempted' && eviction.confirmed && 'preempted';
    };
    const ends: string[] = [];
    for (const name of low) ends.push(await until(`${name} has ended`, () => ended(name)));
    await until('no quota is used', async () => (await reserved('few')) === '0');
    await pause(1000);
    expect(
      low.filter((name, index) => starts(name) !== 1 && !(ends[index] === 'preempted' && starts(name) === 0)),
    ).toEqual([]);
    expect(ends, 'no eviction hit a started run').toContain('preempted');
  });

  it('reports what is left of a ClusterQueue and of its cohort, as Kueue itself counts', async () => {
    agent = await startAgent();
    for (const cpu of ['3', '4']) await submit('left', { cpu, script: 'sleep 60' });
    await until('both have quota', async () => (await reserved('left')) === '7');
    const waiting = await submit('right', { cpu: '4' });
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
    await cluster.apply([kueue('LocalQueue', 'right', { clusterQueue: 'right', stopPolicy: 'Hold' }, 'jobs')]);
    const held = await until(
      'it is held',
      async () => (await poolsNow()).pools[1]?.up === false && (await poolsNow()).pools[1],
    );
    expect(held).toMatchObject({ up: false, nativeState: 'Hold' });
  });

  /** What the backend does with this folder, and no more. */
  type Agent = {
    state(name: string): ReturnType<typeof queuedState>;
    eviction(name: string): EvictionVerdict | undefined;
    readonly store: WorkloadStore;
    hasPod(jobUid: string): boolean;
    close(): Promise<void>;
  };

  async function startAgent(): Promise<Agent> {
    const jobs = new Map<string, QueuedJob>();
    const pods = new Map<string, Pod>();
    const evictions = new Map<string, EvictionVerdict>();
    const under = new Set<Promise<unknown>>();
    const failures: unknown[] = [];
    const ofJob = (uid: string) => [...jobs.values()].find(({ metadata }) => metadata.uid === uid);
    const look = (seen: QueuedJob | undefined) => {
      if (!seen) return;
      const name = { namespace: 'jobs', name: seen.metadata.name, uid: seen.metadata.uid! };
      const own = [...pods.values()].filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === name.uid);
      const workload = store.ofJob(name.uid);
      const eviction = evictionEnd(seen, workload, {
        live: own.filter((pod) => !hasGate(pod) && !/Succeeded|Failed/.test(pod.status?.phase ?? '')).length,
        held: own.filter((pod) => hasGate(pod) && !pod.metadata.deletionTimestamp).length,
      });
      if (evictions.get(name.name)?.kind !== 'preempted' || eviction.kind === 'preempted')
        evictions.set(name.name, eviction);
      const act = async () => {
        if (eviction.kind === 'none') await letPodsGo(client, name, own);
        if (workload && mustBeDeactivated(seen, workload, eviction)) await deactivateWorkloads(client, 'v1beta1', name);
      };
      const acting: Promise<unknown> = act()
        .catch((error) => failures.push(error))
        .finally(() => under.delete(acting));
      under.add(acting);
    };
    const store = new WorkloadStore({
      gpuResource: GPU,
      isOurs: (name) => name.startsWith('ydtest-'),
      changed: (uid) => look(ofJob(uid)),
    });
    const log = { info: () => {}, warn: () => {} };
    const informers: Informer[] = [
      startInformer({ client, path: kueuePath('v1beta1', 'workloads', 'jobs'), sink: store, log }),
      startInformer({ client, path: JOBS, sink: mapSink(jobs, (seen: QueuedJob) => look(seen)), log }),
      startInformer({
        client,
        path: PODS,
        sink: mapSink(pods, (pod: Pod) => look(ofJob(pod.metadata.ownerReferences?.[0]?.uid ?? ''))),
        log,
      }),
    ];
    await Promise.all(informers.map((informer) => informer.synced()));
    return {
      store,
      state: (name) => {
        const seen = jobs.get(name);
        if (!seen) return null;
        const facts = store.ofJob(seen.metadata.uid!);
        return queuedState(
          seen.metadata.labels?.['kueue.x-k8s.io/queue-name'] ?? '',
          facts,
          startClaimOf(seen),
          facts && store.placeOf(facts),
        );
      },
      eviction: (name) => evictions.get(name),
      hasPod: (uid) => [...pods.values()].some((pod) => pod.metadata.ownerReferences?.[0]?.uid === uid),
      close: async () => {
        await Promise.all(informers.map((informer) => informer.close()));
        await Promise.all(under);
        expect(failures).toEqual([]);
      },
    };
  }

  async function submit(
    queueName: string,
    options: { script?: string; cpu?: string; urgent?: boolean; gate?: boolean } = {},
  ): Promise<string> {
    made += 1;
    const name = `ydtest-${made}`;
    const resources = { cpu: options.cpu ?? '1', memory: '32Mi' };
    const plain: QueuedJob & object = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name,
        labels: {
          'kueue.x-k8s.io/queue-name': queueName,
          ...(options.urgent ? { 'kueue.x-k8s.io/priority-class': 'urgent' } : {}),
        },
      },
      spec: {
        suspend: true,
        backoffLimit: 0,
        podReplacementPolicy: 'Failed',
        template: {
          spec: {
            restartPolicy: 'Never',
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                name: 'main',
                image: cluster.image,
                imagePullPolicy: 'IfNotPresent',
                command: ['sh', '-c', `echo start >>/starts/${name}; ${options.script ?? 'true'}`],
                resources: { requests: resources, limits: resources },
                volumeMounts: [{ name: 'starts', mountPath: '/starts' }],
              },
            ],
            volumes: [{ name: 'starts', persistentVolumeClaim: { claimName: 'starts' } }],
          },
        },
      },
    };
    await client.request({ verb: 'POST', path: JOBS, body: options.gate === false ? plain : withStartGate(plain) });
    return name;
  }

  /** How often the payload of this job has started, by what it left behind. */
  function starts(name: string): number {
    try {
      return readFileSync(join(cluster.dir, 'starts', name), 'utf8').split('\n').length - 1;
    } catch {
      return 0;
    }
  }

  async function poolsNow() {
    const of = <T>(kind: 'localqueues' | 'clusterqueues' | 'cohorts', namespace?: string) =>
      client.request<{ items: T[] }>({ verb: 'GET', path: kueuePath('v1beta1', kind, namespace) });
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

  async function list<T>(path: string): Promise<T[]> {
    return (await cluster.api<{ items: T[] }>('GET', path)).body.items;
  }
  async function podsOf(name: string): Promise<Pod[]> {
    return list<Pod>(`${PODS}?labelSelector=batch.kubernetes.io%2Fjob-name%3D${name}`);
  }
  async function job(name: string): Promise<QueuedJob> {
    return (await cluster.api<QueuedJob>('GET', `${JOBS}/${name}`)).body;
  }
  async function hasCondition(name: string, type: string): Promise<boolean> {
    return (await job(name)).status?.conditions?.some((each) => each.type === type && each.status === 'True') === true;
  }
  async function nameOf(name: string) {
    return { namespace: 'jobs', name, uid: (await job(name)).metadata.uid! };
  }
  async function queue(name: string): Promise<ClusterQueue> {
    return (await cluster.api<ClusterQueue>('GET', kueuePath('v1beta1', 'clusterqueues', undefined, name))).body;
  }
  async function reserved(name: string): Promise<string | undefined> {
    const total = (await queue(name)).status?.flavorsReservation?.[0]?.resources?.find(
      (each) => each.name === 'cpu',
    )?.total;
    return total === undefined ? undefined : String(total);
  }
  async function remove(name: string): Promise<void> {
    const uid = (await job(name)).metadata.uid;
    await client.request({
      verb: 'DELETE',
      path: `${JOBS}/${name}`,
      body: { propagationPolicy: 'Background', preconditions: { uid } },
    });
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

function mapSink<T extends { metadata: { name: string } }>(objects: Map<string, T>, changed: (object: T) => void) {
  return {
    begin: () => objects.clear(),
    put: (object: T) => {
      objects.set(object.metadata.name, object);
      changed(object);
    },
    remove: (object: T) => {
      objects.delete(object.metadata.name);
      changed(object);
    },
    synced: () => {},
  };
}

function kueue(kind: string, name: string, spec: object, namespace?: string) {
  const metadata = { name, ...(namespace ? { namespace } : {}) };
  return { apiVersion: 'kueue.x-k8s.io/v1beta1', kind, metadata, ...(Object.keys(spec).length > 0 ? { spec } : {}) };
}

function clusterQueue(quota: Record<string, string>, more: object = {}): object {
  const resources = Object.entries(quota).map(([name, nominalQuota]) => ({ name, nominalQuota }));
  return {
    namespaceSelector: {},
    preemption: { withinClusterQueue: 'LowerPriority' },
    resourceGroups: [{ coveredResources: Object.keys(quota), flavors: [{ name: 'metal', resources }] }],
    ...more,
  };
}

function rbac(kind: string, content: object, namespace?: string) {
  const metadata = { name: 'yard-agent', ...(namespace ? { namespace } : {}) };
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata, ...content };
}

function bindingTo(kind: string) {
  return {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: 'yard-agent' },
    subjects: [{ kind: 'ServiceAccount', name: 'yard-agent', namespace: 'jobs' }],
  };
}
