import type { Container, Node, Pod, PodSpec } from '@switchyard/agent-k8s/api-types.ts';
import { capacityReport } from '@switchyard/agent-k8s/capacity/capacity-report.ts';
import { capacitySettings } from '@switchyard/agent-k8s/capacity/capacity-settings.ts';
import { CapacityStore } from '@switchyard/agent-k8s/capacity/capacity-store.ts';
import { type Informer, startInformer } from '@switchyard/agent-k8s/client/informer.ts';
import { type KubeClient, openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { kubernetesConfigSchema } from '@switchyard/agent-k8s/config.ts';
import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { type KubeCluster, kubernetesAvailable, startKubeCluster } from './testbed.ts';

const kubernetes = kubernetesAvailable();
const GPU = 'nvidia.com/gpu';
const config = kubernetesConfigSchema.parse({
  namespace: 'jobs',
  defaultImage: 'none:1',
  pools: {
    cpu: { nodeSelector: { kind: 'cpu' } },
    gpu: { nodeSelector: { kind: 'gpu' }, tolerations: [{ key: GPU, operator: 'Exists' }] },
  },
});
const settings = capacitySettings(config);

const size = { cpu: '4', memory: '8Gi', pods: '110' };
const NODES = [
  node('large', { cpu: '9500m', memory: '5000M', pods: '110' }, 'cpu'),
  node('full', { ...size, pods: '1' }, 'cpu'),
  node('cordoned', size, 'cpu', { unschedulable: true }),
  node('kept', size, 'cpu', { taints: [{ key: 'mine', effect: 'NoSchedule' }] }),
  node('gpus', { cpu: '6', memory: '8Gi', pods: '110', [GPU]: '2' }, 'gpu', {
    taints: [{ key: GPU, effect: 'NoSchedule' }],
  }),
];
const tolerant = { tolerations: [{ key: GPU, operator: 'Exists' as const }] };

/** Everything that pods ask for, by their containers and in other ways. */
const OTHERS: PodSpec[] = [
  { nodeSelector: { host: 'real' }, containers: [asking({ cpu: '500m', memory: '50M' })] },
  { nodeSelector: { host: 'full' }, containers: [asking({ cpu: '100m' })] },
  {
    nodeSelector: { host: 'large' },
    initContainers: [
      asking({ cpu: '300m', memory: '1M' }, { name: 'beside', restartPolicy: 'Always' }),
      asking({ cpu: '1200m' }, { name: 'before' }),
    ],
    containers: [asking({ cpu: '500m', memory: '1.5M' })],
  },
  {
    nodeSelector: { host: 'large' },
    resources: { requests: { cpu: '300m', memory: '64Mi' } },
    containers: [{ name: 'main', image: 'none:1' }],
  },
  {
    ...{ nodeSelector: { host: 'gpus' }, ...tolerant, runtimeClassName: 'heavy' },
    containers: [asking({ cpu: '1', [GPU]: '1' })],
  },
];

/** The scheduler decides by what nodes say of themselves, so most of these have no kubelet behind them. */
describe.skipIf(!kubernetes.ok)(`the capacity of a real Kubernetes (${kubernetes.why})`, () => {
  const store = new CapacityStore(settings);
  const log = { info: () => {}, warn: () => {} };
  const informers: Informer[] = [];
  let cluster: KubeCluster;
  let client: KubeClient;

  beforeAll(async () => {
    cluster = await startKubeCluster({ name: 'capacity', nodeMonitorGraceSeconds: 3600 });
    client = await openKubeClient({ kubeconfig: cluster.adminKubeconfig });
    await cluster.apply([
      ...['jobs', 'others'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
      {
        ...{ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'heavy' }, handler: 'heavy' },
        overhead: { podFixed: { cpu: '250m', memory: '100Mi' } },
      },
    ]);
    await cluster.addNode('real', { cpus: 3, memoryMiB: 4096, labels: { kind: 'cpu', host: 'real' } });
    for (const node of NODES) await client.request({ verb: 'POST', path: '/api/v1/nodes', body: node });
    const watched = [
      ['/api/v1/nodes', store.nodes],
      ['/api/v1/pods', store.pods()],
      ['/api/v1/namespaces/jobs/resourcequotas', store.quotas()],
    ] as const;
    for (const [path, sink] of watched) informers.push(startInformer<never>({ client, path, sink, log }));
    await Promise.all(informers.map((informer) => informer.synced()));
    await until('the service accounts are there', async () => {
      const { items } = await client.request<{ items: unknown[] }>({ verb: 'GET', path: '/api/v1/serviceaccounts' });
      return items.length >= 3;
    });
    await Promise.all(OTHERS.map((spec, at) => create('others', `other-${at}`, spec)));
    await until('everybody else has a node', () => report().runningJobs === OTHERS.length);
  });
  afterAll(async () => {
    await Promise.all(informers.map((informer) => informer.close()));
    await client?.close();
    await cluster?.close();
  });

  const report = (): CapacityReport =>
    capacityReport(store.snapshot(), settings, {
      sight: { nodes: true, podsOfAll: true, quotas: true },
      software: 'kubernetes',
      nowMs: Date.now(),
    });
  const pool = (name: string) => report().pools.find((each) => each.name === name)!;

  const create = (namespace: string, name: string, spec: PodSpec) =>
    client.request({
      ...{ verb: 'POST', path: `/api/v1/namespaces/${namespace}/pods` },
      body: { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { round: name.replace(/-.*/, '') } }, spec },
    });

  /** How many of so many equal pods get a node, once the scheduler has said something of each. */
  const placed = async (round: string, wanted: number, spec: PodSpec): Promise<number> => {
    await Promise.all(Array.from({ length: wanted }, (_, at) => create('jobs', `${round}-${at}`, spec)));
    const path = '/api/v1/namespaces/jobs/pods';
    const pods = await until('the scheduler has judged every pod', async () => {
      const { items } = await client.request<{ items: Pod[] }>({
        verb: 'GET',
        path,
        query: { labelSelector: `round=${round}` },
      });
      return items.every((pod) => pod.status?.conditions?.some(({ type }) => type === 'PodScheduled'))
        ? items
        : undefined;
    });
    const bound = pods.filter((pod) => pod.spec.nodeName);
    await until('the report shows them', () => report().runningJobs === OTHERS.length + bound.length);
    return bound.length;
  };
  const clear = async () => {
    await client.request({ verb: 'DELETE', path: '/api/v1/namespaces/jobs/pods', query: { gracePeriodSeconds: '0' } });
    await until('the pods are gone', () => report().runningJobs === OTHERS.length && report().waitingJobs === 0);
  };

  test.each(['cpu', 'gpu'] as const)(
    'as many pods of a whole CPU fit into pool %s as it says are free',
    async (name) => {
      const { free, largestFreeSlot } = pool(name);
      expect(await placed(`hole${name}`, 1, ours(name, largestFreeSlot))).toBe(1);
      await clear();
      for (const amount of ['cpus', 'memoryMiB'] as const) {
        const larger = { ...largestFreeSlot, [amount]: largestFreeSlot[amount] + 1 };
        expect(await placed(`${amount.toLowerCase()}${name}`, 1, ours(name, larger))).toBe(0);
        await clear();
      }
      expect(pool(name).free).toEqual(free);
      expect(await placed(`fill${name}`, free.cpus + 3, ours(name, { cpus: 1, memoryMiB: 1 }))).toBe(free.cpus);
      expect(pool(name)).toMatchObject({ free: { cpus: 0, memoryMiB: 0 }, waitingJobs: 3, waitingCpus: 3 });
      await clear();
    },
  );

  test('as many GPUs as it says, and none of another pool', async () => {
    const { free, gpuTypes } = pool('gpu');
    expect([free.gpus, gpuTypes, pool('cpu').free.gpus]).toEqual([1, ['A100'], 0]);
    expect(await placed('gpu', 3, ours('gpu', { cpus: 1, memoryMiB: 1, gpus: 1 }))).toBe(1);
    await clear();
  });

  test('as many pods as a quota leaves', async () => {
    const hard = { 'requests.cpu': '3', pods: '10', 'count/jobs.batch': '4' };
    await cluster.apply([
      { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few', namespace: 'jobs' }, spec: { hard } },
    ]);
    await until('the quota counts', () => pool('cpu').free.cpus === 3);
    expect(report()).toMatchObject({ submitSlotsLeft: 4, pools: [{ maxCpusPerNode: 3 }, { maxCpusPerNode: 3 }] });
    expect(await placed('quota', 3, ours('cpu', { cpus: 1, memoryMiB: 1 }))).toBe(3);
    await until('the quota is used up', () => pool('cpu').free.cpus === 0);
    await expect(create('jobs', 'beyond', ours('cpu', { cpus: 1, memoryMiB: 1 }))).rejects.toThrow(/few/);
  });
});

/** As a job's pod: requests are limits, whole numbers. */
function ours(pool: 'cpu' | 'gpu', size: { cpus: number; memoryMiB: number; gpus?: number }): PodSpec {
  const { name, nodeSelector } = settings.pools.find((each) => each.name === pool)!;
  const gpus = size.gpus ? { [GPU]: String(size.gpus) } : {};
  const container = asking({ cpu: String(size.cpus), memory: `${size.memoryMiB}Mi`, ...gpus });
  return { containers: [container], nodeSelector, ...(name === 'gpu' ? tolerant : {}) };
}

function asking(amounts: Record<string, string>, more: Partial<Container> = {}): Container {
  const resources = { requests: amounts, limits: amounts };
  return { name: 'main', image: 'none:1', imagePullPolicy: 'Never', resources, ...more };
}

function node(name: string, allocatable: Record<string, string>, kind: 'cpu' | 'gpu', spec: Node['spec'] = {}) {
  const labels = { kind, host: name, ...(kind === 'gpu' ? { 'nvidia.com/gpu.product': 'A100' } : {}) };
  const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: new Date().toISOString() }];
  const status = { capacity: allocatable, allocatable, conditions };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec, status };
}
