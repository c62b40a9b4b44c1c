import type { PoolReport } from '@switchyard/core/placement/capacity-report.ts';
import { describe, expect, test } from 'vitest';
import type { ClusterQueue, LocalQueue } from './kueue-types.ts';
import { queuePoolNames, queuePools } from './queue-pools.ts';

const ACTIVE = { conditions: [{ type: 'Active', status: 'True' as const, reason: 'Ready' }] };

const NODES: PoolReport = {
  name: 'default',
  isDefault: true,
  up: true,
  nativeState: 'Ready',
  total: { nodes: 4, cpus: 64, memoryMiB: 262_144, gpus: 0 },
  free: { nodes: 4, cpus: 40, memoryMiB: 131_072, gpus: 0 },
  largestNode: { cpus: 16, memoryMiB: 65_536, gpus: 0 },
  largestFreeSlot: { cpus: 12, memoryMiB: 32_768, gpus: 0 },
  maxWalltimeSeconds: null,
  defaultWalltimeSeconds: null,
  maxNodesPerJob: null,
  maxCpusPerNode: null,
  maxMemoryMiBPerNode: null,
  gpuTypes: [],
  features: [],
  runningJobs: 7,
  waitingJobs: 3,
  waitingCpus: 9,
  waitingCpuSeconds: 900,
  steps: [],
};

function localQueue(
  name: string,
  clusterQueue: string,
  spec: Partial<LocalQueue['spec']> = {},
  namespace = 'jobs',
): LocalQueue {
  return {
    metadata: { name, namespace },
    spec: { clusterQueue, ...spec },
    status: { ...ACTIVE, pendingWorkloads: 1, admittedWorkloads: 1 },
  };
}

function clusterQueue(
  name: string,
  resources: Record<string, string>,
  used: Record<string, string>,
  change: Partial<ClusterQueue> = {},
): ClusterQueue {
  const named = (values: Record<string, string>, key: 'nominalQuota' | 'total') =>
    Object.entries(values).map(([resource, value]) => ({ name: resource, [key]: value }));
  return {
    metadata: { name },
    spec: {
      resourceGroups: [
        {
          coveredResources: Object.keys(resources),
          flavors: [{ name: 'on', resources: named(resources, 'nominalQuota') }],
        },
      ],
    },
    status: {
      ...ACTIVE,
      flavorsReservation: [{ name: 'on', resources: named(used, 'total') }],
      pendingWorkloads: 5,
      admittedWorkloads: 2,
    },
    ...change,
  };
}

const demandOf = (_namespace: string, queue: string) =>
  queue === 'night'
    ? { waiting: 2, cpuMilli: 2500, cpuMilliSeconds: 100_000 }
    : { waiting: 0, cpuMilli: 0, cpuMilliSeconds: 0 };

function pool(clusterQueues: ClusterQueue[], localQueues: LocalQueue[]) {
  const report = queuePools(
    { localQueues, clusterQueues, cohorts: [], demandOf },
    [{ namespace: 'jobs', queue: 'night' }],
    NODES,
    'nvidia.com/gpu',
  );
  return { ...report.pools[0]!, notes: report.notes };
}

test('a pool has what its ClusterQueue has left, within what the nodes have', () => {
  const seen = pool(
    [clusterQueue('cq', { cpu: '10', memory: '512Gi' }, { cpu: '2500m', memory: '500Gi' })],
    [localQueue('night', 'cq')],
  );
  expect(seen).toMatchObject({
    name: 'night',
    isDefault: true,
    up: true,
    nativeState: 'Active',
    total: { nodes: 4, cpus: 10, memoryMiB: 262_144, gpus: 0 },
    free: { nodes: 4, cpus: 7, memoryMiB: 12_288, gpus: 0 },
    largestNode: { cpus: 10, memoryMiB: 65_536, gpus: 0 },
    largestFreeSlot: { cpus: 7, memoryMiB: 12_288, gpus: 0 },
    runningJobs: 2,
    waitingJobs: 5,
    waitingCpus: 3,
    waitingCpuSeconds: 100,
    notes: ['3 more workloads wait in ClusterQueue cq from namespaces this agent does not see'],
  });
});

test('a quota on pods that is used up leaves nothing free', () => {
  const seen = pool(
    [clusterQueue('cq', { cpu: '10', memory: '64Gi', pods: '2' }, { cpu: '1', memory: '1Gi', pods: '2' })],
    [localQueue('night', 'cq')],
  );
  expect(seen.free).toEqual({ nodes: 4, cpus: 0, memoryMiB: 0, gpus: 0 });
  expect(seen.largestFreeSlot.cpus).toBe(0);
});

test('without quota for memory Kueue admits no job of ours, and it is said', () => {
  const seen = pool([clusterQueue('cq', { cpu: '10' }, {})], [localQueue('night', 'cq')]);
  expect(seen.free.memoryMiB).toBe(0);
  expect(seen.notes).toContain('ClusterQueue cq has no quota for memory, so Kueue admits nothing from pool night');
});

describe('a pool is down', () => {
  const cq = clusterQueue('cq', { cpu: '10', memory: '64Gi' }, {});
  const inactive = { conditions: [{ type: 'Active', status: 'False' as const, reason: 'FlavorNotFound' }] };
  test.each([
    ['when its LocalQueue is held', [cq], [localQueue('night', 'cq', { stopPolicy: 'Hold' })], 'Hold'],
    [
      'when its ClusterQueue is drained',
      [{ ...cq, spec: { ...cq.spec, stopPolicy: 'HoldAndDrain' as const } }],
      [localQueue('night', 'cq')],
      'HoldAndDrain',
    ],
    [
      'when its ClusterQueue is not active',
      [{ ...cq, status: inactive }],
      [localQueue('night', 'cq')],
      'FlavorNotFound',
    ],
    ['when Kueue has not looked at it', [cq], [{ ...localQueue('night', 'cq'), status: {} }], 'Inactive'],
    ['when there is no such LocalQueue', [cq], [localQueue('night', 'cq', {}, 'elsewhere')], 'NotFound'],
  ])('%s', (_name, clusterQueues, localQueues, nativeState) => {
    expect(pool(clusterQueues, localQueues)).toMatchObject({ up: false, nativeState });
  });
});

test('a ClusterQueue that may not be read leaves the numbers of the nodes, and it is said', () => {
  const seen = pool([], [localQueue('night', 'cq')]);
  expect(seen).toMatchObject({ up: true, free: NODES.free, runningJobs: 1, waitingJobs: 1 });
  expect(seen.notes).toEqual(['ClusterQueue cq cannot be read: pool night shows nodes, not quota']);
});

test('LocalQueues of one name in two namespaces are told apart', () => {
  const names = queuePoolNames([
    { namespace: 'astro', queue: 'gpu' },
    { namespace: 'bio', queue: 'gpu' },
    { namespace: 'bio', queue: 'night' },
    { namespace: 'bio', queue: 'night' },
  ]);
  expect([...names]).toEqual([
    ['astro/gpu', 'astro/gpu'],
    ['bio/gpu', 'bio/gpu'],
    ['bio/night', 'night'],
  ]);
});
