import type { Node, Taint } from '../api-types.ts';
import { milli, units } from './quantity.ts';
import { barring, isPassing, type Toleration, tolerated } from './taints.ts';

export type NodeFacts = {
  readonly name: string;
  readonly labels: { readonly [label: string]: string };
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly gpus: number;
  /** How many pods the node takes, whatever their size. */
  readonly pods: number;
  readonly gpuType: string | null;
  /** As kubectl says it. */
  readonly state: 'Ready' | 'NotReady' | 'SchedulingDisabled';
  /** What the node's owner keeps it for. */
  readonly lasting: readonly Taint[];
  /** What Kubernetes sets while something is wrong. */
  readonly passing: readonly Taint[];
};

/** A pool: nodes by label, and the taints that its jobs tolerate. */
export type CapacityPool = {
  readonly name: string;
  readonly nodeSelector: { readonly [label: string]: string };
  readonly tolerations: readonly Toleration[];
};

/** What of a node counts; allocatable is what the kubelet leaves for pods. */
export function nodeFacts(
  { metadata, spec = {}, status = {} }: Node,
  { gpuResource, gpuTypeLabel }: { readonly gpuResource: string; readonly gpuTypeLabel: string },
): NodeFacts {
  const { labels = {}, name } = metadata;
  const { allocatable = {} } = status;
  const gpus = units(allocatable[gpuResource], 'down');
  const taints = barring(spec.taints ?? []);
  const isReady = status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  const isClosed = spec.unschedulable === true || metadata.deletionTimestamp !== undefined;
  return {
    ...{ name, labels, gpus },
    cpuMilli: milli(allocatable['cpu'], 'down'),
    memoryBytes: units(allocatable['memory'], 'down'),
    pods: units(allocatable['pods'], 'down'),
    gpuType: gpus > 0 ? (labels[gpuTypeLabel] ?? null) : null,
    state: isReady ? (isClosed ? 'SchedulingDisabled' : 'Ready') : 'NotReady',
    lasting: taints.filter((taint) => !isPassing(taint)),
    passing: taints.filter(isPassing),
  };
}

/** `open`: takes the pool's jobs now; `closed`: belongs to the pool and takes none for the time being. */
export function placeInPool(node: NodeFacts, pool: CapacityPool): 'open' | 'closed' | 'outside' {
  if (!hasLabels(node, pool.nodeSelector) || !tolerated(node.lasting, pool.tolerations)) return 'outside';
  return node.state === 'Ready' && tolerated(node.passing, pool.tolerations) ? 'open' : 'closed';
}

export function hasLabels({ labels }: NodeFacts, selector: { readonly [label: string]: string }): boolean {
  return Object.entries(selector).every(([label, value]) => labels[label] === value);
}
