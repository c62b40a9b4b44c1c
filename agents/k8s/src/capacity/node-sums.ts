import type { Amounts, Slot } from '@switchyard/core/placement/capacity-report.ts';
import type { NodeUse } from './capacity-store.ts';
import type { Used } from './node-entry.ts';
import type { NodeFacts } from './node-facts.ts';

const MIB = 2 ** 20;
const NOTHING: Slot = { cpus: 0, memoryMiB: 0, gpus: 0 };

/** What some nodes have together, and the largest of them. */
export class NodeSums {
  total: Amounts = { nodes: 0, ...NOTHING };
  free: Amounts = { nodes: 0, ...NOTHING };
  /** One node with nothing on it but what is on every node. */
  largestNode: Slot = NOTHING;
  largestFreeSlot: Slot = NOTHING;
  runningPods = 0;
  openNodes = 0;
  readonly states = new Set<NodeFacts['state']>();
  readonly gpuTypes = new Set<string>();

  add({ facts, used, background }: NodeUse, isOpen: boolean): void {
    this.total = plus(this.total, 1, { ...whole(facts, NOBODY), gpus: facts.gpus });
    this.largestNode = widest(this.largestNode, slot(facts, background));
    this.runningPods += used.pods - background.pods;
    this.states.add(facts.state);
    if (facts.gpuType !== null) this.gpuTypes.add(facts.gpuType);
    if (!isOpen) return;
    const free = slot(facts, used);
    this.free = plus(this.free, free.cpus > 0 && used.pods === background.pods ? 1 : 0, free);
    this.largestFreeSlot = larger(this.largestFreeSlot, free);
    this.openNodes += 1;
  }
}

const NOBODY: Used = { cpuMilli: 0, memoryBytes: 0, gpus: 0, pods: 0 };

/** What a node has left for whole CPUs: without any of one, the rest of the others is of no use to a job. */
function slot(facts: NodeFacts, used: Used): Slot {
  const left = whole(facts, used);
  return facts.pods <= used.pods || left.cpus === 0 || left.memoryMiB === 0 ? NOTHING : left;
}

/** Others may have put more on a node than it has. */
function whole(facts: NodeFacts, used: Used): Slot {
  const left = (all: number, taken: number, unit: number) => Math.max(0, Math.floor((all - taken) / unit));
  return {
    cpus: left(facts.cpuMilli, used.cpuMilli, 1000),
    memoryMiB: left(facts.memoryBytes, used.memoryBytes, MIB),
    gpus: left(facts.gpus, used.gpus, 1),
  };
}

function plus(sum: Amounts, nodes: number, { cpus, memoryMiB, gpus }: Slot): Amounts {
  return {
    nodes: sum.nodes + nodes,
    cpus: sum.cpus + cpus,
    memoryMiB: sum.memoryMiB + memoryMiB,
    gpus: sum.gpus + gpus,
  };
}

/** Of one real node, by CPUs, then memory, then GPUs: a slot put together from several nodes would exist nowhere. */
function larger(one: Slot, other: Slot): Slot {
  const order = other.cpus - one.cpus || other.memoryMiB - one.memoryMiB || other.gpus - one.gpus;
  return order > 0 ? other : one;
}

/**
 * The most of each, on whatever node. A pool of all nodes is the usual thing here: the largest node by CPUs alone would keep every
 * GPU job away for good, while a job that this lets pass in vain waits with a reason.
 */
function widest(one: Slot, other: Slot): Slot {
  return {
    cpus: Math.max(one.cpus, other.cpus),
    memoryMiB: Math.max(one.memoryMiB, other.memoryMiB),
    gpus: Math.max(one.gpus, other.gpus),
  };
}
