import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Node, Pod, ResourceQuota } from '../api-types.ts';
import { kubernetesConfigSchema } from '../config.ts';
import { capacityReport } from './capacity-report.ts';
import { capacitySettings } from './capacity-settings.ts';
import { CapacityStore } from './capacity-store.ts';
import { testNode, testPod, testQuota } from './testing/objects.ts';

const nowMs = Date.parse('2026-11-21T12:00:00Z');
const config = { namespace: 'jobs', defaultImage: 'tool:1' };
const everything = { nodes: true, podsOfAll: true, quotas: true };

function reportOf(
  { nodes = [], pods = [], quotas = [] }: { nodes?: Node[]; pods?: Pod[]; quotas?: ResourceQuota[] },
  { sight = everything, more = {} }: { sight?: typeof everything; more?: object } = {},
) {
  const settings = capacitySettings(kubernetesConfigSchema.parse({ ...config, ...more }));
  const store = new CapacityStore(settings);
  const [podSink, quotaSink] = [store.pods(), store.quotas()];
  for (const pod of pods) podSink.put(pod);
  for (const node of nodes) store.nodes.put(node);
  for (const quota of quotas) quotaSink.put(quota);
  return capacityReport(store.snapshot(), settings, { sight, software: 'kubernetes v1.34.4', nowMs });
}

const on = (nodeName: string, cpu: string, more: Parameters<typeof testPod>[1] = {}) =>
  testPod(`${nodeName}-${cpu}`, { nodeName, cpu, ...more });

describe('nodes', () => {
  test('free is what whole CPUs of each node are left', () => {
    const nodes = [testNode('a', { cpu: '4' }), testNode('b', { cpu: '3920m' })];
    const pods = [on('a', '1500m', { memory: '1Gi' }), on('b', '100m', { isDaemon: true, memory: '1Mi' })];
    expect(reportOf({ nodes, pods })).toMatchObject({
      total: { nodes: 2, cpus: 7, memoryMiB: 32_768, gpus: 0 },
      free: { nodes: 1, cpus: 2 + 3, memoryMiB: 15_360 + 16_383 },
      runningJobs: 1,
      pools: [{ name: 'default', isDefault: true, up: true, largestFreeSlot: { cpus: 3, memoryMiB: 16_383 } }],
      software: 'kubernetes v1.34.4',
      notes: [],
    });
  });

  test('those that take no pods count as there, not as free', () => {
    const nodes = [
      testNode('ready', {}),
      testNode('away', { isReady: false }),
      testNode('cordoned', { isCordoned: true }),
      testNode('full', { taints: [{ key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' }] }),
      testNode('asked', { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] }),
    ];
    const report = reportOf({ nodes });
    expect(report).toMatchObject({ total: { nodes: 5, cpus: 40 }, free: { nodes: 2, cpus: 16 } });
    expect(report.notes).toEqual(['3 of 5 nodes take no pods (not ready, cordoned or tainted)']);
    expect(reportOf({ nodes: [nodes[2]!] }).pools).toMatchObject([{ up: false, nativeState: 'SchedulingDisabled' }]);
    expect(reportOf({}).pools).toMatchObject([{ up: false, nativeState: 'without nodes' }]);
  });

  test('a node that is kept for others belongs to no pool', () => {
    const nodes = [
      testNode('control', { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] }),
    ];
    expect(reportOf({ nodes })).toMatchObject({ total: { nodes: 0 }, notes: ["pool 'default' has no nodes"] });
    const pools = { default: { tolerations: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }] } };
    expect(reportOf({ nodes }, { more: { pools } })).toMatchObject({ total: { nodes: 1 }, free: { cpus: 8 } });
  });

  test('pools by label, overlapping; the cluster counts each node once, and only those in pools', () => {
    const pools = { gpu: { nodeSelector: { kind: 'gpu' } }, site: { nodeSelector: { site: 'x' } } };
    const labels = { kind: 'gpu', site: 'x', 'nvidia.com/gpu.product': 'A100' };
    const nodes = [
      testNode('g', { gpus: '4', labels }),
      testNode('c', { labels: { site: 'x' } }),
      testNode('other', {}),
    ];
    const report = reportOf({ nodes, pods: [on('g', '1', { gpus: '3' })] }, { more: { pools, defaultPool: 'site' } });
    expect(report).toMatchObject({ total: { nodes: 2, gpus: 4 }, free: { nodes: 1, gpus: 1, cpus: 15 } });
    expect(report.pools).toMatchObject([
      { name: 'gpu', isDefault: false, total: { nodes: 1 }, gpuTypes: ['A100'], runningJobs: 1 },
      { name: 'site', isDefault: true, total: { nodes: 2 }, largestNode: { cpus: 8, gpus: 4 } },
    ]);
  });

  test('the largest node is one of each kind, for a pool is often all nodes; the largest hole is a real one', () => {
    const nodes = [testNode('c', { cpu: '64' }), testNode('g', { cpu: '16', gpus: '8' })];
    const [pool] = reportOf({ nodes, pods: [on('c', '1', { isDaemon: true })] }).pools;
    expect(pool).toMatchObject({ largestNode: { cpus: 63, gpus: 8 }, largestFreeSlot: { cpus: 63, gpus: 0 } });
  });

  test('a node without a place for one more pod, or without a CPU, has no room', () => {
    const crowded = reportOf({ nodes: [testNode('a', { pods: '1' })], pods: [on('a', '100m')] });
    const busy = reportOf({ nodes: [testNode('a', { cpu: '1', gpus: '1' })], pods: [on('a', '100m')] });
    for (const report of [crowded, busy])
      expect(report).toMatchObject({
        free: { nodes: 0, cpus: 0, memoryMiB: 0, gpus: 0 },
        pools: [{ largestFreeSlot: { cpus: 0, memoryMiB: 0 } }],
      });
  });

  test('what cannot be seen is said', () => {
    const sight = { nodes: false, podsOfAll: false, quotas: false };
    expect(reportOf({}, { sight }).notes).toHaveLength(3);
  });
});

test('demand ahead: who waits where, held back pods only in the number of the cluster', () => {
  const pools = { fast: { nodeSelector: { speed: 'fast' } }, all: {} };
  const nodes = [testNode('f', { labels: { speed: 'fast' } }), testNode('s', {})];
  const pods = [
    testPod('any', { cpu: '2', limitSeconds: 100 }),
    testPod('slow', { cpu: '500m', nodeSelector: { disk: 'big' } }),
    testPod('gpu', { cpu: '1', gpus: '1' }),
    testPod('quick', { cpu: '1500m', nodeSelector: { speed: 'fast' } }),
    testPod('gated', { cpu: '32', isGated: true }),
  ];
  const report = reportOf({ nodes, pods }, { more: { pools } });
  expect(report).toMatchObject({ waitingJobs: 5, runningJobs: 0 });
  const demand = { waitingJobs: 2, waitingCpus: 4, waitingCpuSeconds: 200 + 1.5 * 86_400 };
  expect(report.pools).toMatchObject([
    { name: 'fast', ...demand },
    { name: 'all', ...demand },
  ]);
});

describe('steps', () => {
  test('when pods reach their deadlines or finish going', () => {
    const pods = [
      on('a', '1500m', { limitSeconds: 64 }),
      on('a', '2500m', { limitSeconds: 128, gpus: '1' }),
      on('a', '1', {}),
      on('away', '3', { limitSeconds: 32 }),
    ];
    const going = { ...pods[2]!, metadata: { ...pods[2]!.metadata, deletionTimestamp: '2026-11-21T12:00:30Z' } };
    const nodes = [testNode('a', { gpus: '1' }), testNode('away', { isReady: false })];
    const { steps } = reportOf({ nodes, pods: pods.with(2, going) }).pools[0]!;
    expect(steps.map(({ afterSeconds, cpus, gpus }) => [afterSeconds, cpus, gpus])).toEqual([
      [30, 1, 0],
      [64, 1, 0],
      [128, 3, 1],
    ]);
  });

  test('what is overdue comes at once, and what a quota keeps does not come', () => {
    const nodes = [testNode('a', {})];
    const pods = [on('a', '4', { limitSeconds: 60, startTime: '2026-11-21T11:00:00Z' })];
    expect(reportOf({ nodes, pods }).pools[0]!.steps).toMatchObject([{ afterSeconds: 0, cpus: 4 }]);
    const quotas = [testQuota('q', { cpu: '5' })];
    expect(reportOf({ nodes, pods, quotas }).pools[0]!.steps).toMatchObject([{ cpus: 1 }]);
  });
});

describe('quotas', () => {
  const nodes = [testNode('a', {}), testNode('b', {})];

  test('limit what is free and what can ever be had', () => {
    const quotas = [
      testQuota('q', { 'limits.cpu': '6', 'requests.memory': '4Gi', 'count/jobs.batch': '9' }, { 'limits.cpu': '2' }),
    ];
    const report = reportOf({ nodes, quotas }, { more: { maxCpusPerTask: 5 } });
    expect(report).toMatchObject({
      total: { nodes: 2, cpus: 6, memoryMiB: 4096 },
      free: { cpus: 4, memoryMiB: 4096 },
      submitSlotsLeft: 9,
      notes: ["the quota 'q' of namespace 'jobs' limits these sizes"],
    });
    expect(report.pools).toMatchObject([
      {
        maxCpusPerNode: 5,
        maxMemoryMiBPerNode: 4096,
        largestFreeSlot: { cpus: 4, memoryMiB: 4096 },
        largestNode: { cpus: 8 },
      },
    ]);
  });

  test('without another pod allowed nothing is free', () => {
    const quotas = [testQuota('q', { pods: '2' }, { pods: '2' })];
    expect(reportOf({ nodes, quotas })).toMatchObject({
      free: { nodes: 0, cpus: 0 },
      pools: [{ largestFreeSlot: { cpus: 0 } }],
    });
  });
});

const size = fc.constantFrom('0', '1', '900m', '1500m', '7', '1e6');
const aNode = fc.record({
  cpu: size,
  memory: fc.constantFrom('0', '1Gi', '16Gi'),
  gpus: fc.constantFrom('0', '1'),
  isReady: fc.boolean(),
  isCordoned: fc.boolean(),
  pods: fc.constantFrom('1', '110'),
});
const aPod = fc.record({
  node: fc.option(fc.integer({ min: 0, max: 4 })),
  cpu: size,
  limitSeconds: fc.option(fc.integer({ min: 1, max: 1e6 }), { nil: undefined }),
  isDaemon: fc.boolean(),
});
const aQuota = fc.record({ cpu: size, used: size });

test('whatever is there: nothing is negative, nothing free that is not there, steps within what is used', () => {
  const world = [
    fc.array(aNode, { maxLength: 5 }),
    fc.array(aPod, { maxLength: 80 }),
    fc.array(aQuota, { maxLength: 2 }),
  ] as const;
  fc.assert(
    fc.property(...world, (nodes, pods, quotas) => {
      const report = reportOf({
        nodes: nodes.map((node, at) => testNode(`${at}`, node)),
        pods: pods.map(({ node, ...pod }, at) =>
          testPod(`${at}`, { ...pod, ...(node === null ? {} : { nodeName: `${node}` }) }),
        ),
        quotas: quotas.map(({ cpu, used }, at) => testQuota(`${at}`, { cpu }, { cpu: used })),
      });
      for (const { total, free, largestNode, largestFreeSlot, steps } of report.pools) {
        for (const key of ['cpus', 'memoryMiB', 'gpus'] as const) {
          const order = [0, largestFreeSlot[key], free[key], total[key]];
          expect(order).toEqual(order.toSorted((left, right) => left - right));
          expect(largestFreeSlot[key]).toBeLessThanOrEqual(largestNode[key]);
          expect(free[key] + steps.reduce((sum, step) => sum + step[key], 0)).toBeLessThanOrEqual(total[key]);
          expect(steps.every((step) => step[key] >= 0 && Number.isInteger(step[key]))).toBe(true);
        }
        expect(steps.length).toBeLessThanOrEqual(32);
        const times = steps.map((step) => step.afterSeconds);
        expect(times).toEqual(times.toSorted((left, right) => left - right));
      }
    }),
  );
});
