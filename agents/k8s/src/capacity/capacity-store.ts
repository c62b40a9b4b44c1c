import type { Node, Pod, ResourceQuota } from '../api-types.ts';
import type { Sink } from '../client/informer.ts';
import type { CapacitySettings } from './capacity-settings.ts';
import { EndTable, type FreedAt } from './end-table.ts';
import { KeptSink } from './kept-sink.ts';
import { isKnown, isSameKind, type NodeEntry, nodeEntry, type Used } from './node-entry.ts';
import { type NodeFacts, nodeFacts, placeInPool } from './node-facts.ts';
import { type PodUse, podUse } from './pod-use.ts';
import { type QuotaFacts, quotaFacts } from './quota-facts.ts';
import { type Waiting, type WaitingKind, WaitingTable } from './waiting-table.ts';

type StoreSettings = Pick<CapacitySettings, 'pools' | 'gpuResource' | 'gpuTypeLabel'>;

export type NodeUse = {
  readonly facts: NodeFacts;
  /** By name. */
  readonly pools: readonly string[];
  /** Those of them whose jobs it takes now. */
  readonly open: readonly string[];
  /** By every pod that has not ended. */
  readonly used: Used;
  /** By those of them that are on every node. */
  readonly background: Used;
};

export type CapacitySnapshot = {
  readonly nodes: readonly NodeUse[];
  /** Of pods with deadlines; per set of pools that their nodes are open for. */
  readonly ends: readonly { readonly pools: readonly string[]; readonly ends: readonly FreedAt[] }[];
  readonly waiting: readonly Waiting[];
  /** With those that are held back. */
  readonly waitingPods: number;
  readonly quotas: readonly QuotaFacts[];
};

/**
 * What nodes have and what pods ask of them, kept up to date by informers: a change costs the same whatever the size of the cluster,
 * and a pod is kept as a few numbers.
 */
export class CapacityStore {
  readonly nodes: Sink<Node>;
  readonly #settings: StoreSettings;
  readonly #entries = new Map<string, NodeEntry>();
  readonly #waiting = new WaitingTable();
  readonly #ends = new EndTable();
  readonly #pods: KeptSink<Pod, KeptPod>[] = [];
  readonly #quotas: KeptSink<ResourceQuota, QuotaFacts>[] = [];
  #waitingPods = 0;
  /** Nodes opened or closed: counted anew with the next snapshot, once, however many did. */
  #endsAreStale = true;

  constructor(settings: StoreSettings) {
    this.#settings = settings;
    this.nodes = new KeptSink<Node, NodeFacts>({
      keep: (node) => nodeFacts(node, settings),
      come: (facts) => this.#describe(this.#entry(facts.name), facts),
      gone: (facts) => {
        const entry = this.#entries.get(facts.name);
        if (entry?.facts === facts) this.#describe(entry, null);
      },
    });
  }

  /** One for each list of pods: of the whole cluster, or of each namespace that the agent may see. */
  pods(): Sink<Pod> {
    const sink = new KeptSink<Pod, KeptPod>({
      keep: (pod) => this.#keep(podUse(pod, this.#settings.gpuResource)),
      come: (pod) => this.#count(pod, 1),
      gone: (pod) => this.#count(pod, -1),
    });
    this.#pods.push(sink);
    return sink;
  }

  /** One for each list of ResourceQuotas. */
  quotas(): Sink<ResourceQuota> {
    const sink = new KeptSink<ResourceQuota, QuotaFacts>({
      keep: (quota) => quotaFacts(quota, this.#settings.gpuResource),
      come: () => {},
      gone: () => {},
    });
    this.#quotas.push(sink);
    return sink;
  }

  snapshot(): CapacitySnapshot {
    if (this.#endsAreStale) this.#countEnds();
    const known = [...this.#entries.values()].filter(isKnown);
    return {
      nodes: known.map(({ facts, pools, open, used, background }) => ({
        ...{ facts, pools, open },
        used: { ...used },
        background: { ...background },
      })),
      ends: this.#ends.list().map(({ pools, ends }) => ({ pools: JSON.parse(pools), ends })),
      waiting: this.#waiting.list(known),
      waitingPods: this.#waitingPods,
      quotas: this.#quotas.flatMap((sink) => [...sink.records()]),
    };
  }
  #describe(entry: NodeEntry, facts: NodeFacts | null): void {
    if (!isSameKind(entry.facts, facts)) this.#waiting.forgetPools();
    const places =
      facts === null ? [] : this.#settings.pools.map((pool) => [pool.name, placeInPool(facts, pool)] as const);
    entry.facts = facts;
    entry.pools = places.filter(([, place]) => place !== 'outside').map(([name]) => name);
    entry.open = places.filter(([, place]) => place === 'open').map(([name]) => name);
    const openKey = JSON.stringify(entry.open);
    if (openKey !== entry.openKey) this.#endsAreStale = true;
    entry.openKey = openKey;
    this.#drop(entry);
  }

  #keep(use: PodUse | null): KeptPod | null {
    if (use === null) return null;
    const { cpuMilli, memoryBytes, gpus, cpuSeconds, endSecond, isBackground, nodeName, isGated } = use;
    return {
      ...{ cpuMilli, memoryBytes, gpus, cpuSeconds, endSecond, isBackground },
      entry: nodeName === '' ? null : this.#entry(nodeName),
      kind: nodeName === '' && !isGated ? this.#waiting.kindOf(use) : null,
    };
  }

  #count(pod: KeptPod, sign: 1 | -1): void {
    const { entry, kind, endSecond } = pod;
    if (entry === null) this.#waitingPods += sign;
    if (kind !== null) this.#waiting.count(kind, pod, sign);
    if (entry === null) return;
    add(entry.used, pod, sign);
    if (pod.isBackground) add(entry.background, pod, sign);
    if (!this.#endsAreStale && endSecond !== null && entry.open.length > 0)
      this.#ends.count(entry.openKey, endSecond, pod, sign);
    this.#drop(entry);
  }

  #countEnds(): void {
    this.#ends.clear();
    this.#endsAreStale = false;
    for (const sink of this.#pods)
      for (const pod of sink.records())
        if (pod.endSecond !== null && pod.entry !== null && pod.entry.open.length > 0)
          this.#ends.count(pod.entry.openKey, pod.endSecond, pod, 1);
  }

  #entry(name: string): NodeEntry {
    const known = this.#entries.get(name) ?? nodeEntry(name);
    this.#entries.set(name, known);
    return known;
  }

  #drop({ name, facts, used }: NodeEntry): void {
    if (facts === null && used.pods === 0) this.#entries.delete(name);
  }
}

type KeptPod = Pick<PodUse, 'cpuMilli' | 'memoryBytes' | 'gpus' | 'cpuSeconds' | 'endSecond' | 'isBackground'> & {
  /** Null: not bound. */
  readonly entry: NodeEntry | null;
  /** Null: bound, or held back. */
  readonly kind: WaitingKind | null;
};

function add(sum: { -readonly [Key in keyof Used]: number }, pod: KeptPod, sign: 1 | -1): void {
  sum.pods += sign;
  sum.cpuMilli += sign * pod.cpuMilli;
  sum.memoryBytes += sign * pod.memoryBytes;
  sum.gpus += sign * pod.gpus;
}
