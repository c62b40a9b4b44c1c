import type { AvailabilityStep, Slot } from '@switchyard/core/placement/capacity-report.ts';
import type { FreedAt } from './end-table.ts';

const MAX_STEPS = 32;
const MIB = 2 ** 20;

/**
 * When pods reach their deadlines, so much more of the pool becomes free, all together no more than `used`. Ends close together
 * become one step, at the latest of them: never promise too early. A node is seldom empty when one of its pods ends, so no step
 * promises whole nodes.
 */
export function availabilitySteps(ends: readonly FreedAt[], used: Slot, nowMs: number): AvailabilityStep[] {
  const sorted = ends.toSorted((left, right) => left.atSecond - right.atSecond);
  const size = Math.max(1, Math.ceil(sorted.length / MAX_STEPS));
  const steps: AvailabilityStep[] = [];
  let freed = { cpuMilli: 0, memoryBytes: 0, gpus: 0 };
  let told: Slot = { cpus: 0, memoryMiB: 0, gpus: 0 };
  for (let at = 0; at < sorted.length; at += size) {
    const group = sorted.slice(at, at + size);
    freed = group.reduce(plus, freed);
    const upToHere = wholePart(freed, used);
    const step = less(upToHere, told);
    told = upToHere;
    if (step.cpus + step.memoryMiB + step.gpus === 0) continue;
    const afterSeconds = Math.max(0, Math.ceil(group.at(-1)!.atSecond - nowMs / 1000));
    steps.push({ afterSeconds, ...step, nodes: 0 });
  }
  return steps;
}

type Freed = Omit<FreedAt, 'atSecond'>;

function plus(sum: Freed, { cpuMilli, memoryBytes, gpus }: FreedAt): Freed {
  return { cpuMilli: sum.cpuMilli + cpuMilli, memoryBytes: sum.memoryBytes + memoryBytes, gpus: sum.gpus + gpus };
}

/** Halves of a CPU become a whole one when the second is free too. */
function wholePart({ cpuMilli, memoryBytes, gpus }: Freed, most: Slot): Slot {
  return {
    cpus: Math.min(most.cpus, Math.floor(cpuMilli / 1000)),
    memoryMiB: Math.min(most.memoryMiB, Math.floor(memoryBytes / MIB)),
    gpus: Math.min(most.gpus, gpus),
  };
}

function less(one: Slot, other: Slot): Slot {
  return { cpus: one.cpus - other.cpus, memoryMiB: one.memoryMiB - other.memoryMiB, gpus: one.gpus - other.gpus };
}
