import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Node, Pod } from '../api-types.ts';
import { type CapacitySnapshot, CapacityStore } from './capacity-store.ts';
import { testNode, testPod } from './testing/objects.ts';

const SETTINGS = {
  pools: [
    { name: 'all', nodeSelector: {}, tolerations: [] },
    { name: 'fast', nodeSelector: { speed: 'fast' }, tolerations: [{ key: 'fast', operator: 'Exists' as const }] },
  ],
  gpuResource: 'nvidia.com/gpu',
  gpuTypeLabel: 'nvidia.com/gpu.product',
};

/** The same from scratch: only what is there now, told once, pods first. */
function naively(nodes: Iterable<Node>, pods: Iterable<Pod>): CapacitySnapshot {
  const store = new CapacityStore(SETTINGS);
  const sink = store.pods();
  for (const pod of pods) sink.put(pod);
  for (const node of nodes) store.nodes.put(node);
  return store.snapshot();
}

/** Nothing in a snapshot depends on an order. */
function sorted({ nodes, ends, waiting, ...rest }: CapacitySnapshot) {
  const byText = <T>(list: readonly T[]) => list.map((each) => JSON.stringify(each)).sort();
  const times = ends.map((each) => ({
    ...each,
    ends: each.ends.toSorted((one, other) => one.atSecond - other.atSecond),
  }));
  return { ...rest, nodes: byText(nodes), waiting: byText(waiting), ends: byText(times) };
}

const nodeAt = (
  at: number,
  { isFast, isReady, isTainted }: { isFast: boolean; isReady: boolean; isTainted: boolean },
) =>
  testNode(`n${at}`, {
    labels: isFast ? { speed: 'fast' } : {},
    isReady,
    taints: isTainted ? [{ key: 'fast', effect: 'NoSchedule' }] : [],
  });

const podAt = (
  at: number,
  { made, node, ...rest }: { made: number; node: number | null } & Parameters<typeof testPod>[1],
) => testPod(`p${at}`, { uid: `p${at}-${made}`, ...(node === null ? {} : { nodeName: `n${node}` }), ...rest });

const aNode = fc.record({ isFast: fc.boolean(), isReady: fc.boolean(), isTainted: fc.boolean() });
const aPod = fc.record({
  made: fc.integer({ min: 0, max: 1 }),
  node: fc.option(fc.integer({ min: 0, max: 3 })),
  cpu: fc.constantFrom('100m', '1', '2500m', '1e30'),
  phase: fc.constantFrom('Pending' as const, 'Running' as const, 'Succeeded' as const, 'Failed' as const),
  limitSeconds: fc.option(fc.constantFrom(1, 60, 3600, 86_400), { nil: undefined }),
  isDaemon: fc.boolean(),
  isGated: fc.boolean(),
  nodeSelector: fc.constantFrom({}, { speed: 'fast' }),
});
const at = fc.integer({ min: 0, max: 5 });
const change = fc.oneof(
  fc.record({ what: fc.constant('node' as const), at, node: aNode }),
  fc.record({ what: fc.constant('pod' as const), at, pod: aPod }),
  fc.record({
    what: fc.constantFrom(
      'node gone' as const,
      'pod gone' as const,
      'list' as const,
      'half a list' as const,
      'look' as const,
    ),
    at,
  }),
);

test('after any changes, lists and repetitions the sums are those of what is there', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const store = new CapacityStore(SETTINGS);
      const sink = store.pods();
      const nodes = new Map<string, Node>();
      const pods = new Map<string, Pod>();
      for (const each of changes) {
        if (each.what === 'node') {
          const node = nodeAt(each.at, each.node);
          nodes.set(node.metadata.name, node);
          store.nodes.put(node);
        } else if (each.what === 'pod') {
          const pod = podAt(each.at, each.pod);
          pods.set(pod.metadata.uid!, pod);
          sink.put(pod);
        } else if (each.what === 'node gone') {
          store.nodes.remove(testNode(`n${each.at}`, {}));
          nodes.delete(`n${each.at}`);
        } else if (each.what === 'pod gone') {
          sink.remove(podAt(each.at, { made: 0, node: null }));
          pods.delete(`p${each.at}-0`);
        } else if (each.what === 'list') relist(store, sink, nodes, pods, each.at);
        else if (each.what === 'half a list') sink.begin();
        else store.snapshot();
      }
      // An abandoned list says nothing; a whole one follows.
      relist(store, sink, nodes, pods, 6);
      expect(sorted(store.snapshot())).toEqual(sorted(naively(nodes.values(), pods.values())));
    }),
    { numRuns: 500 },
  );
});

/** One of the things may have gone while nobody watched. */
function relist(
  store: CapacityStore,
  sink: ReturnType<CapacityStore['pods']>,
  nodes: Map<string, Node>,
  pods: Map<string, Pod>,
  gone: number,
): void {
  pods.delete(`p${gone}-0`);
  nodes.delete(`n${gone}`);
  sink.begin();
  for (const pod of pods.values()) sink.put(pod);
  sink.synced();
  store.nodes.begin();
  for (const node of nodes.values()) store.nodes.put(node);
  store.nodes.synced();
}

test('a node that was made again under its name outlives the news that the old one is gone', () => {
  const store = new CapacityStore(SETTINGS);
  store.nodes.put(testNode('n', { uid: 'old' }));
  store.nodes.put(testNode('n', { uid: 'new' }));
  store.nodes.remove(testNode('n', { uid: 'old' }));
  expect(store.snapshot().nodes).toHaveLength(1);
  store.nodes.remove(testNode('n', { uid: 'new' }));
  expect(store.snapshot().nodes).toHaveLength(0);
});

test('lists of several namespaces do not sweep each other away', () => {
  const store = new CapacityStore(SETTINGS);
  const [one, other] = [store.pods(), store.pods()];
  one.put(testPod('a', {}));
  other.begin();
  other.put(testPod('b', {}));
  other.synced();
  expect(store.snapshot().waitingPods).toBe(2);
});

test('any number of kinds of waiting pods is kept as a few', () => {
  const store = new CapacityStore(SETTINGS);
  store.nodes.put(testNode('n', {}));
  const pods = Array.from({ length: 1000 }, (_, at) =>
    testPod(`p${at}`, { cpu: '1', nodeSelector: { host: `h${at}` }, limitSeconds: 10 }),
  );
  const sink = store.pods();
  for (const pod of pods) sink.put(pod);
  const { waiting } = store.snapshot();
  expect(waiting.length).toBeLessThanOrEqual(257);
  expect(waiting.reduce((sum, { pods }) => sum + pods, 0)).toBe(1000);
  for (const pod of pods) sink.remove(pod);
  expect(store.snapshot()).toMatchObject({ waiting: [], waitingPods: 0 });
});

test('a thousand deadlines are a few ends, at most a 32nd of the limit too late and never too early', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e7 }), fc.integer({ min: 0, max: 2e9 }), (limitSeconds, startSecond) => {
      const store = new CapacityStore(SETTINGS);
      store.nodes.put(testNode('n', {}));
      store
        .pods()
        .put(testPod('p', { nodeName: 'n', limitSeconds, startTime: new Date(startSecond * 1000).toISOString() }));
      const [{ atSecond } = { atSecond: 0 }] = store.snapshot().ends[0]!.ends;
      const late = atSecond - startSecond - limitSeconds;
      expect(late >= 0 && late <= Math.max(1, limitSeconds / 32)).toBe(true);
    }),
  );
});

test('ten thousand pods of others cost less than 10 MB', () => {
  const store = new CapacityStore(SETTINGS);
  const sink = store.pods();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let at = 0; at < 10_000; at += 1) {
    const pod = testPod(`pod-${at}`, { uid: crypto.randomUUID(), nodeName: `node-${at % 100}`, limitSeconds: 60 + at });
    sink.put(JSON.parse(JSON.stringify({ ...pod, more: 'x'.repeat(3000) })));
  }
  store.snapshot();
  expect(used() - before).toBeLessThan(10e6);
  expect([...store.snapshot().nodes]).toEqual([]);
});
