import type { Amounts, PoolReport, Slot } from '@switchyard/core/placement/capacity-report.ts';
import { conditionOf } from '../conditions.ts';
import type { ClusterQueue, Cohort, LocalQueue } from './kueue-types.ts';
import { type FlavorQuota, QuotaTree } from './queue-tree.ts';
import type { QueueDemand } from './workload-store.ts';

export type QueueSnapshot = {
  readonly localQueues: readonly LocalQueue[];
  /** Empty when they may not be read. */
  readonly clusterQueues: readonly ClusterQueue[];
  readonly cohorts: readonly Cohort[];
  readonly demandOf: (namespace: string, queue: string) => QueueDemand;
};

export type QueueName = { readonly namespace: string; readonly queue: string };

export type QueuePools = { readonly pools: readonly PoolReport[]; readonly notes: readonly string[] };

/**
 * One pool for each LocalQueue that jobs of ours may go to: what Kueue would admit, within what the nodes can hold. Pools of one
 * ClusterQueue or cohort share its quota, so their sums mean nothing.
 *
 * @param queues those of the bindings, the default one first
 * @param nodes the same numbers from the nodes alone: a quota may promise more than the nodes have
 */
export function queuePools(
  { localQueues, clusterQueues, cohorts, demandOf }: QueueSnapshot,
  queues: readonly QueueName[],
  nodes: PoolReport,
  gpuResource: string,
): QueuePools {
  const tree = (resource: string) => new QuotaTree(clusterQueues, cohorts, resource);
  const trees: Trees = { cpu: tree('cpu'), memory: tree('memory'), gpu: tree(gpuResource), pods: tree('pods') };
  const known = new Map(localQueues.map((each) => [keyOf(each.metadata.namespace ?? '', each.metadata.name), each]));
  const shared = new Map(clusterQueues.map((each) => [each.metadata.name, each]));
  const names = queuePoolNames(queues);
  const notes: string[] = [];
  const pools = queues.map(({ namespace, queue }, index): PoolReport => {
    const name = names.get(keyOf(namespace, queue))!;
    const base = { ...nodes, name, isDefault: index === 0, nativeState: 'NotFound', up: false };
    const localQueue = known.get(keyOf(namespace, queue));
    if (!localQueue) {
      notes.push(`LocalQueue ${queue} does not exist in namespace ${namespace}, so nothing can be queued there`);
      return { ...base, free: nothing(nodes.free), largestFreeSlot: NO_SLOT, runningJobs: 0, ...waiting(0, NONE) };
    }
    const clusterQueue = shared.get(localQueue.spec.clusterQueue ?? '');
    const state = queueState(localQueue, clusterQueue);
    if (!clusterQueue) {
      notes.push(`ClusterQueue ${localQueue.spec.clusterQueue} cannot be read: pool ${name} shows nodes, not quota`);
      const { pendingWorkloads = 0, admittedWorkloads: runningJobs = 0 } = localQueue.status ?? {};
      return { ...base, ...state, runningJobs, ...waiting(pendingWorkloads, demandOf(namespace, queue)) };
    }
    const demand = localQueues
      .filter(({ spec }) => spec.clusterQueue === clusterQueue.metadata.name)
      .map(({ metadata }) => demandOf(metadata.namespace ?? '', metadata.name))
      .reduce(plus, NONE);
    const { pendingWorkloads = 0, admittedWorkloads = 0 } = clusterQueue.status ?? {};
    notes.push(...gaps(name, clusterQueue, trees, pendingWorkloads - demand.waiting));
    return {
      ...base,
      ...state,
      ...within(nodes, trees, clusterQueue.metadata.name),
      runningJobs: admittedWorkloads,
      ...waiting(pendingWorkloads, demand),
    };
  });
  return { pools, notes };
}

/** The queue's name where it is the only one of that name, else with its namespace; by `namespace/queue`. */
export function queuePoolNames(queues: readonly QueueName[]): ReadonlyMap<string, string> {
  const spaces = Map.groupBy(queues, ({ queue }) => queue);
  return new Map(
    queues.map(({ namespace, queue }) => {
      const alone = new Set(spaces.get(queue)?.map((each) => each.namespace)).size === 1;
      return [keyOf(namespace, queue), alone ? queue : keyOf(namespace, queue)];
    }),
  );
}

type Trees = { readonly cpu: QuotaTree; readonly memory: QuotaTree; readonly gpu: QuotaTree; readonly pods: QuotaTree };

const MIB = 2 ** 20;
const NONE: QueueDemand = { waiting: 0, cpuMilli: 0, cpuMilliSeconds: 0 };
const NO_SLOT: Slot = { cpus: 0, memoryMiB: 0, gpus: 0 };

/** Quota and nodes, whichever is less. All pods of a job get one flavor of a resource, so the largest slot is that of one flavor. */
function within(nodes: PoolReport, trees: Trees, clusterQueue: string): Partial<PoolReport> {
  const cpu = trees.cpu.quotasOf(clusterQueue);
  const memory = trees.memory.quotasOf(clusterQueue);
  const gpu = trees.gpu.quotasOf(clusterQueue);
  const sum = (quotas: readonly FlavorQuota[], of: 'total' | 'free') => quotas.reduce((all, each) => all + each[of], 0);
  const most = (quotas: readonly FlavorQuota[], of: 'total' | 'free') => Math.max(0, ...quotas.map((each) => each[of]));
  const sized = (take: typeof sum, of: 'total' | 'free'): Slot => ({
    cpus: Math.floor(take(cpu, of) / 1000),
    memoryMiB: Math.floor(take(memory, of) / MIB),
    gpus: take(gpu, of),
  });
  const full = trees.pods.quotasOf(clusterQueue).length > 0 && sum(trees.pods.quotasOf(clusterQueue), 'free') === 0;
  return {
    total: { nodes: nodes.total.nodes, ...less(nodes.total, sized(sum, 'total')) },
    free: full ? nothing(nodes.free) : { nodes: nodes.free.nodes, ...less(nodes.free, sized(sum, 'free')) },
    largestNode: less(nodes.largestNode, sized(most, 'total')),
    largestFreeSlot: full ? NO_SLOT : less(nodes.largestFreeSlot, sized(most, 'free')),
  };
}

/** What people should know of these numbers. */
function gaps(pool: string, { metadata: { name } }: ClusterQueue, trees: Trees, unseen: number): string[] {
  const uncovered = (['cpu', 'memory'] as const).filter((resource) => trees[resource].quotasOf(name).length === 0);
  return [
    // Every pod of ours asks for both, and Kueue admits nothing that asks for what a ClusterQueue does not cover.
    ...uncovered.map(
      (resource) => `ClusterQueue ${name} has no quota for ${resource}, so Kueue admits nothing from pool ${pool}`,
    ),
    ...(unseen > 0
      ? [`${unseen} more workloads wait in ClusterQueue ${name} from namespaces this agent does not see`]
      : []),
  ];
}

function queueState(
  localQueue: LocalQueue,
  clusterQueue: ClusterQueue | undefined,
): { up: boolean; nativeState: string } {
  for (const queue of [clusterQueue, localQueue]) {
    if (!queue) continue;
    const { stopPolicy = 'None' } = queue.spec;
    if (stopPolicy !== 'None') return { up: false, nativeState: stopPolicy };
    const active = conditionOf(queue.status?.conditions, 'Active');
    if (active?.status !== 'True') return { up: false, nativeState: active?.reason || 'Inactive' };
  }
  return { up: true, nativeState: 'Active' };
}

function waiting(waitingJobs: number, { cpuMilli, cpuMilliSeconds }: QueueDemand) {
  return {
    waitingJobs,
    waitingCpus: Math.ceil(cpuMilli / 1000),
    waitingCpuSeconds: Math.ceil(cpuMilliSeconds / 1000),
  };
}

function plus(one: QueueDemand, other: QueueDemand): QueueDemand {
  return {
    waiting: one.waiting + other.waiting,
    cpuMilli: one.cpuMilli + other.cpuMilli,
    cpuMilliSeconds: one.cpuMilliSeconds + other.cpuMilliSeconds,
  };
}

function less(one: Slot, other: Slot): Slot {
  return {
    cpus: Math.min(one.cpus, other.cpus),
    memoryMiB: Math.min(one.memoryMiB, other.memoryMiB),
    gpus: Math.min(one.gpus, other.gpus),
  };
}

function nothing({ nodes }: Amounts): Amounts {
  return { nodes, cpus: 0, memoryMiB: 0, gpus: 0 };
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}
