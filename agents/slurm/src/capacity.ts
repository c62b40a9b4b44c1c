import type { Amounts, CapacityReport, PoolReport, Slot } from '@switchyard/core/placement/capacity-report.ts';
import { availabilitySteps } from './availability-steps.ts';
import { sum } from './parse/amounts.ts';
import type { ClusterConfig } from './parse/config-values.ts';
import type { ListedJob } from './parse/listing.ts';
import type { SlurmNode } from './parse/nodes.ts';
import type { SlurmPartition } from './parse/partitions.ts';
import { stateMeaning } from './states.ts';

export type CapacityFacts = {
  readonly config: ClusterConfig;
  readonly partitions: readonly SlurmPartition[];
  readonly nodes: readonly SlurmNode[];
  /** Everybody's jobs, from the last listing. */
  readonly jobs: readonly ListedJob[];
  /** Partitions the agent may use; null: all. */
  readonly allowed: readonly string[] | null;
  readonly nowMs: number;
};

/** The capacity report of one Slurm, from facts that were read at about the same time. */
export function capacityReport(facts: CapacityFacts): CapacityReport {
  const { config, nodes, allowed } = facts;
  const jobs = facts.jobs.map((job) => ({ job, phase: stateMeaning(job.state).phase }));
  const running = jobs.filter(({ phase }) => phase === 'running').map(({ job }) => job);
  const waiting = jobs.filter(({ phase }) => phase === 'waiting').map(({ job }) => job);
  const partitions = facts.partitions.filter(({ name }) => allowed === null || allowed.includes(name));
  return {
    ...amounts(nodes),
    runningJobs: running.length,
    waitingJobs: sum(waiting.map((job) => job.taskCount)),
    pools: partitions.map((partition) => poolReport(partition, facts, running, waiting)),
    maxArrayIndex: config.maxArraySize === null ? null : config.maxArraySize - 1,
    submitSlotsLeft:
      config.maxJobCount === null
        ? null
        : Math.max(0, config.maxJobCount - sum(facts.jobs.map((job) => job.taskCount))),
    software: `slurm ${config.version}`,
    notes: notes(facts),
  };
}

function poolReport(
  partition: SlurmPartition,
  { nodes, nowMs }: CapacityFacts,
  running: readonly ListedJob[],
  waiting: readonly ListedJob[],
): PoolReport {
  const { name, isDefault, state, ...limits } = partition;
  const own = nodes.filter((node) => node.partitions.includes(name));
  const ahead = waiting.filter((job) => job.partitions.includes(name) && job.priority > 0);
  const inPool = running.filter((job) => job.partitions.includes(name));
  return {
    name,
    isDefault,
    up: state === 'UP',
    nativeState: state,
    ...amounts(own),
    ...limits,
    largestNode: largest(own.map(({ cpus, memoryMiB, gpus }) => ({ cpus, memoryMiB, gpus }))),
    largestFreeSlot: largest(
      own.map((node) => ({ cpus: node.freeCpus, memoryMiB: node.freeMemoryMiB, gpus: node.freeGpus })),
    ),
    gpuTypes: [...new Set(own.flatMap((node) => node.gpuTypes))].sort(),
    features: [...new Set(own.flatMap((node) => node.features))].sort(),
    runningJobs: inPool.length,
    waitingJobs: sum(ahead.map((job) => job.taskCount)),
    waitingCpus: sum(ahead.map((job) => job.cpus * job.taskCount)),
    waitingCpuSeconds: sum(ahead.map((job) => job.cpus * job.taskCount * assumedSeconds(job, partition))),
    steps: availabilitySteps(inPool, own, nowMs),
  };
}

/** A job without any limit is taken for a day: it must count for something. */
const UNLIMITED_SECONDS = 86_400;

function assumedSeconds(job: ListedJob, partition: SlurmPartition): number {
  return job.limitSeconds ?? partition.defaultWalltimeSeconds ?? UNLIMITED_SECONDS;
}

function amounts(nodes: readonly SlurmNode[]): { total: Amounts; free: Amounts } {
  const add = (of: (node: SlurmNode) => number) => sum(nodes.map(of));
  return {
    total: {
      nodes: nodes.length,
      cpus: add((node) => node.cpus),
      memoryMiB: add((node) => node.memoryMiB),
      gpus: add((node) => node.gpus),
    },
    free: {
      nodes: nodes.filter((node) => node.usable && node.freeCpus === node.cpus).length,
      cpus: add((node) => node.freeCpus),
      memoryMiB: add((node) => node.freeMemoryMiB),
      gpus: add((node) => node.freeGpus),
    },
  };
}

/** Of one real node, by CPUs, then memory, then GPUs: a slot put together from several nodes would exist nowhere. */
function largest(slots: readonly Slot[]): Slot {
  const order = (left: Slot, right: Slot) =>
    right.cpus - left.cpus || right.memoryMiB - left.memoryMiB || right.gpus - left.gpus;
  return [...slots].sort(order)[0] ?? { cpus: 0, memoryMiB: 0, gpus: 0 };
}

function notes({ config, nodes, allowed, partitions }: CapacityFacts): string[] {
  const unusable = nodes.filter((node) => !node.usable).length;
  const missing = (allowed ?? []).filter((name) => !partitions.some((partition) => partition.name === name));
  return [
    ...(config.privateData.includes('jobs') ? ["other users' jobs may be hidden (PrivateData=jobs)"] : []),
    ...(config.privateData.includes('nodes') ? ['nodes may be hidden (PrivateData=nodes)'] : []),
    ...(unusable > 0 ? [`${unusable} of ${nodes.length} nodes take no jobs (down, drained or reserved)`] : []),
    ...missing.map((name) => `partition '${name}' of the agent's configuration does not exist`),
  ];
}
