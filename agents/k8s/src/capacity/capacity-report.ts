import type { Amounts, CapacityReport, PoolReport, Slot } from '@switchyard/core/placement/capacity-report.ts';
import { availabilitySteps } from './availability-steps.ts';
import type { CapacitySettings } from './capacity-settings.ts';
import type { CapacitySnapshot } from './capacity-store.ts';
import { NodeSums } from './node-sums.ts';
import type { QuotaRoom } from './quota-facts.ts';
import { type QuotaLimits, quotaLimits } from './quota-limits.ts';

/** What the agent is allowed to see. */
export type Sight = { readonly nodes: boolean; readonly podsOfAll: boolean; readonly quotas: boolean };

export type ReportContext = {
  readonly sight: Sight;
  /** `kubernetes v1.34.4`. */
  readonly software: string;
  readonly nowMs: number;
};

/** The capacity report of one cluster; costs as much as there are nodes and pools, whatever the number of pods. */
export function capacityReport(
  snapshot: CapacitySnapshot,
  settings: CapacitySettings,
  { sight, software, nowMs }: ReportContext,
): CapacityReport {
  const all = new NodeSums();
  const sums = new Map(settings.pools.map(({ name }) => [name, new NodeSums()]));
  for (const node of snapshot.nodes) {
    if (node.pools.length > 0) all.add(node, node.open.length > 0);
    for (const name of node.pools) sums.get(name)?.add(node, node.open.includes(name));
  }
  const quota = quotaLimits(snapshot.quotas, settings.namespaces);
  return {
    ...amounts(all, quota),
    runningJobs: all.runningPods,
    waitingJobs: snapshot.waitingPods,
    pools: [...sums].map(([name, own]) => poolReport(name, own, { snapshot, settings, quota, nowMs })),
    maxArrayIndex: null,
    submitSlotsLeft: limit(quota.left.jobs),
    software,
    notes: [...notes(all, sums, sight), ...quota.notes],
  };
}

/** What there is no limit for; a feature would be a label, and nothing says yet which labels are features. */
const UNLIMITED = {
  maxWalltimeSeconds: null,
  defaultWalltimeSeconds: null,
  maxNodesPerJob: null,
  features: [],
} satisfies Partial<PoolReport>;

type Rest = {
  readonly snapshot: CapacitySnapshot;
  readonly settings: CapacitySettings;
  readonly quota: QuotaLimits;
  readonly nowMs: number;
};

function poolReport(name: string, own: NodeSums, { snapshot, settings, quota, nowMs }: Rest): PoolReport {
  const { total, free } = amounts(own, quota);
  const ahead = snapshot.waiting.filter(({ pools }) => pools.includes(name));
  const ends = snapshot.ends.filter(({ pools }) => pools.includes(name)).flatMap((each) => each.ends);
  const { perTask } = settings;
  return {
    ...UNLIMITED,
    name,
    isDefault: name === settings.defaultPool,
    up: own.openNodes > 0,
    nativeState: nativeState(own),
    ...{ total, free },
    largestNode: { ...own.largestNode, gpus: Math.min(own.largestNode.gpus, quota.largest.gpus, perTask.gpus) },
    largestFreeSlot: quota.left.pods === 0 ? NOTHING : within(own.largestFreeSlot, quota.largestLeft, perTask),
    maxCpusPerNode: limit(Math.min(quota.largest.cpus, perTask.cpus)),
    maxMemoryMiBPerNode: limit(Math.min(quota.largest.memoryMiB, perTask.memoryMiB)),
    gpuTypes: [...own.gpuTypes].sort(),
    runningJobs: own.runningPods,
    waitingJobs: sum(ahead.map(({ pods }) => pods)),
    waitingCpus: Math.ceil(sum(ahead.map(({ cpuMilli }) => cpuMilli)) / 1000),
    waitingCpuSeconds: sum(ahead.map(({ cpuSeconds }) => cpuSeconds)),
    steps: availabilitySteps(ends, stillToCome(own, quota.left), nowMs),
  };
}

const NOTHING: Slot = { cpus: 0, memoryMiB: 0, gpus: 0 };

/** What can become free within the quota as it is: when that grows nobody knows. */
function stillToCome({ total, free }: NodeSums, left: QuotaRoom): Slot {
  if (left.pods === 0) return NOTHING;
  const [most, now] = [within(total, left), within(free, left)];
  return { cpus: most.cpus - now.cpus, memoryMiB: most.memoryMiB - now.memoryMiB, gpus: most.gpus - now.gpus };
}

function amounts({ total, free }: NodeSums, { hard, left }: QuotaLimits): { total: Amounts; free: Amounts } {
  const mayStart = left.pods > 0;
  return {
    total: { nodes: total.nodes, ...within(total, hard) },
    free: mayStart ? { nodes: free.nodes, ...within(free, left) } : { nodes: 0, ...NOTHING },
  };
}

function within(size: Slot, ...limits: readonly (Slot | QuotaRoom)[]): Slot {
  return {
    cpus: Math.min(size.cpus, ...limits.map(({ cpus }) => cpus)),
    memoryMiB: Math.min(size.memoryMiB, ...limits.map(({ memoryMiB }) => memoryMiB)),
    gpus: Math.min(size.gpus, ...limits.map(({ gpus }) => gpus)),
  };
}

function limit(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** In the words of kubectl; a pool without nodes may get some yet. */
function nativeState({ openNodes, states }: NodeSums): string {
  if (openNodes > 0) return 'Ready';
  if (states.size === 0) return 'without nodes';
  return states.has('SchedulingDisabled') ? 'SchedulingDisabled' : states.has('Ready') ? 'tainted' : 'NotReady';
}

function notes(all: NodeSums, sums: ReadonlyMap<string, NodeSums>, sight: Sight): string[] {
  const closed = all.total.nodes - all.openNodes;
  const empty = [...sums].filter(([, { total }]) => total.nodes === 0).map(([name]) => name);
  return [
    ...(sight.nodes ? [] : ['nodes are not visible, so no size is known (the agent may not list them)']),
    ...(sight.podsOfAll ? [] : ["other people's pods are not visible, so less may be free than is said here"]),
    ...(sight.quotas ? [] : ['quotas are not visible, so less may be free than is said here']),
    ...(closed > 0 ? [`${closed} of ${all.total.nodes} nodes take no pods (not ready, cordoned or tainted)`] : []),
    ...(sight.nodes ? empty.map((name) => `pool '${name}' has no nodes`) : []),
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
