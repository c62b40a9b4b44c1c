import type { Toleration } from '../api-types.ts';
import { hasLabels, type NodeFacts } from './node-facts.ts';
import type { PodUse } from './pod-use.ts';
import { isPassing, tolerated } from './taints.ts';

/** Unbound pods that may go to the same nodes. */
export type Waiting = {
  readonly pools: readonly string[];
  readonly pods: number;
  readonly cpuMilli: number;
  readonly cpuSeconds: number;
};

type PooledNode = { readonly facts: NodeFacts; readonly pools: readonly string[] };

/** Pods of one template are alike; beyond so many kinds the rest counts as one that may go to any node without taints. */
const MAX_KINDS = 256;

export type WaitingKind = KindOfPod & Sums;

type KindOfPod = {
  readonly key: string;
  readonly nodeSelector: PodUse['nodeSelector'];
  readonly tolerations: readonly Toleration[];
  readonly needsGpu: boolean;
};

type Sums = {
  pods: number;
  cpuMilli: number;
  cpuSeconds: number;
  /** Null: to be found out. */
  pools: readonly string[] | null;
};

/** Whoever waits for a node, in one sum per kind of pod. */
export class WaitingTable {
  readonly #kinds = new Map<string, WaitingKind>();

  kindOf(use: PodUse): WaitingKind {
    const wanted = kindOfPod(use);
    const kind = this.#kinds.size < MAX_KINDS || this.#kinds.has(wanted.key) ? wanted : ANY;
    return this.#kinds.get(kind.key) ?? { ...kind, pods: 0, cpuMilli: 0, cpuSeconds: 0, pools: null };
  }

  count(kind: WaitingKind, { cpuMilli, cpuSeconds }: Pick<PodUse, 'cpuMilli' | 'cpuSeconds'>, sign: 1 | -1): void {
    kind.pods += sign;
    kind.cpuMilli += sign * cpuMilli;
    kind.cpuSeconds += sign * cpuSeconds;
    if (kind.pods === 0) this.#kinds.delete(kind.key);
    else this.#kinds.set(kind.key, kind);
  }

  /** Some node changed what it is for. */
  forgetPools(): void {
    for (const kind of this.#kinds.values()) kind.pools = null;
  }

  list(nodes: Iterable<PooledNode>): Waiting[] {
    return [...this.#kinds.values()].map((kind) => {
      kind.pools ??= poolsFor(kind, nodes);
      return { pools: kind.pools, pods: kind.pods, cpuMilli: kind.cpuMilli, cpuSeconds: kind.cpuSeconds };
    });
  }
}

const ANY = kindOfPod({ nodeSelector: {}, tolerations: [], gpus: 0 });

function kindOfPod({ nodeSelector, ...use }: Pick<PodUse, 'nodeSelector' | 'tolerations' | 'gpus'>): KindOfPod {
  // Every pod is given tolerations of passing taints; they say nothing about where it may go.
  const tolerations = use.tolerations.filter(({ key = '' }) => !isPassing({ key, effect: '' }));
  const needsGpu = use.gpus > 0;
  return {
    key: JSON.stringify([Object.entries(nodeSelector).sort(), tolerations, needsGpu]),
    nodeSelector,
    tolerations,
    needsGpu,
  };
}

/** The pools with a node that could take such a pod if it were empty; what pods ask for beyond labels is not judged. */
function poolsFor({ nodeSelector, tolerations, needsGpu }: KindOfPod, nodes: Iterable<PooledNode>): string[] {
  const pools = new Set<string>();
  for (const { facts, pools: own } of nodes) {
    const fits =
      (!needsGpu || facts.gpus > 0) && hasLabels(facts, nodeSelector) && tolerated(facts.lasting, tolerations);
    if (fits) for (const pool of own) pools.add(pool);
  }
  return [...pools].sort();
}
