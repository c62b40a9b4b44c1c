import type { NodeFacts } from './node-facts.ts';

export type Used = {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly gpus: number;
  readonly pods: number;
};

/** One node and the sums over its pods, which may be known before the node is, and after it has gone. */
export type NodeEntry = {
  readonly name: string;
  facts: NodeFacts | null;
  /** Of which pools the node is, and which of them it is open for. */
  pools: readonly string[];
  open: readonly string[];
  /** The open ones, as a text of their own. */
  openKey: string;
  readonly used: { -readonly [Key in keyof Used]: number };
  readonly background: { -readonly [Key in keyof Used]: number };
};

export function nodeEntry(name: string): NodeEntry {
  const nothing = { cpuMilli: 0, memoryBytes: 0, gpus: 0, pods: 0 };
  const pools = { pools: [], open: [], openKey: '[]' };
  return { name, facts: null, ...pools, used: { ...nothing }, background: { ...nothing } };
}

export function isKnown(entry: NodeEntry): entry is NodeEntry & { facts: NodeFacts } {
  return entry.facts !== null;
}

/** Whether pods that could use the one could use the other. */
export function isSameKind(one: NodeFacts | null, other: NodeFacts | null): boolean {
  return traits(one) === traits(other);
}

function traits(facts: NodeFacts | null): string {
  return facts === null ? '' : JSON.stringify([Object.entries(facts.labels).sort(), facts.lasting, facts.gpus > 0]);
}
