import type { AvailabilityStep } from '@switchyard/core/placement/capacity-report.ts';
import { sum } from './parse/amounts.ts';
import type { ListedJob } from './parse/listing.ts';
import type { SlurmNode } from './parse/nodes.ts';

const MAX_STEPS = 32;

/**
 * When running jobs reach their limits, so much more of the pool becomes free. squeue does not tell memory per CPU from
 * memory per node, so the memory in use is shared out by CPUs. Jobs without a limit never count.
 */
export function availabilitySteps(
  running: readonly ListedJob[],
  nodes: readonly SlurmNode[],
  nowMs: number,
): AvailabilityStep[] {
  const used = nodes.filter((node) => node.usable);
  const usedCpus = sum(used.map((node) => node.cpus - node.freeCpus));
  const memoryPerCpu = usedCpus === 0 ? 0 : sum(used.map((node) => node.memoryMiB - node.freeMemoryMiB)) / usedCpus;
  const nodeCpus = Math.max(1, ...nodes.map((node) => node.cpus));
  const ends = running
    .flatMap((job) => (job.endAtMs === null || job.limitSeconds === null ? [] : [{ job, endAtMs: job.endAtMs }]))
    .sort((left, right) => left.endAtMs - right.endAtMs);
  // Ends close together become one step, at the latest of them: never promise too early.
  const size = Math.max(1, Math.ceil(ends.length / MAX_STEPS));
  return Array.from({ length: Math.ceil(ends.length / size) }, (_, at) => {
    const group = ends.slice(at * size, (at + 1) * size);
    const cpus = sum(group.map(({ job }) => job.cpus));
    return {
      afterSeconds: Math.max(0, Math.ceil((group.at(-1)!.endAtMs - nowMs) / 1000)),
      cpus,
      memoryMiB: Math.floor(cpus * memoryPerCpu),
      gpus: sum(group.map(({ job }) => job.gpusPerNode * job.nodes)),
      nodes: sum(group.map(({ job }) => (job.cpus >= job.nodes * nodeCpus ? job.nodes : 0))),
    };
  });
}
