import type {
  Amounts,
  AvailabilityStep,
  CapacityReport,
  PoolReport,
} from '@switchyard/core/placement/capacity-report.ts';
import { count } from '@switchyard/core/spec/range-set.ts';
import { POOL } from './admission.ts';
import type { LocalJob, Size } from './job.ts';
import type { JobTable, Running } from './job-table.ts';

const MAX_STEPS = 32;
/** A job without a limit is taken for a day: it must count for something. */
const UNLIMITED_SECONDS = 86_400;

/** The capacity report of this host: what jobs ask for is taken, whatever they use. */
export function capacityReport({ waiting, running }: JobTable, total: Size, nowMs: number): CapacityReport {
  const active = [...running.values()];
  const used = active.map(({ job }) => job.facts.size);
  const free = { cpus: left(total.cpus, used, 'cpus'), memoryMiB: left(total.memoryMiB, used, 'memoryMiB') };
  const amounts = { total: whole(total, 1), free: whole(free, active.length === 0 ? 1 : 0) };
  const queued = [...waiting];
  const counts = { runningJobs: active.length, waitingJobs: sum(queued.map(({ waiting }) => count(waiting))) };
  return {
    ...amounts,
    ...counts,
    pools: [
      { ...EMPTY_POOL, ...amounts, ...counts, ...slots(total, free), ...demand(queued), steps: steps(active, nowMs) },
    ],
    maxArrayIndex: null,
    submitSlotsLeft: null,
    software: 'local 0.1.0',
    notes: ['what other programs of this host use is not counted'],
  };
}

/** After a change of the configuration more may run than fits. */
function left(total: number, used: readonly Size[], of: keyof Size): number {
  return Math.max(0, total - sum(used.map((size) => size[of])));
}

function whole({ cpus, memoryMiB }: Size, nodes: number): Amounts {
  return { nodes, cpus, memoryMiB, gpus: 0 };
}

const EMPTY_POOL = {
  name: POOL,
  isDefault: true,
  up: true,
  nativeState: 'up',
  maxWalltimeSeconds: null,
  defaultWalltimeSeconds: null,
  maxNodesPerJob: 1,
  gpuTypes: [],
  features: [],
} satisfies Partial<PoolReport>;

function slots(total: Size, free: Size) {
  return {
    largestNode: { ...total, gpus: 0 },
    largestFreeSlot: { ...free, gpus: 0 },
    maxCpusPerNode: total.cpus,
    maxMemoryMiBPerNode: total.memoryMiB,
  };
}

function demand(queued: readonly LocalJob[]) {
  const cpus = queued.map(({ facts, waiting }) => facts.size.cpus * count(waiting));
  const seconds = queued.map(({ facts }) => facts.walltimeSeconds ?? UNLIMITED_SECONDS);
  return { waitingCpus: sum(cpus), waitingCpuSeconds: sum(cpus.map((each, at) => each * seconds[at]!)) };
}

/** When running tasks reach their walltimes; ends close together become one step, at the latest of them. */
function steps(active: readonly Running[], nowMs: number): AvailabilityStep[] {
  const ends = active
    .flatMap(({ job: { facts }, task }) =>
      facts.walltimeSeconds === null
        ? []
        : [{ size: facts.size, atMs: task.startedAtMs + facts.walltimeSeconds * 1000 }],
    )
    .sort((one, other) => one.atMs - other.atMs);
  const groupSize = Math.max(1, Math.ceil(ends.length / MAX_STEPS));
  return Array.from({ length: Math.ceil(ends.length / groupSize) }, (_, at) => {
    const group = ends.slice(at * groupSize, (at + 1) * groupSize);
    return {
      afterSeconds: Math.max(0, Math.ceil((group.at(-1)!.atMs - nowMs) / 1000)),
      cpus: sum(group.map(({ size }) => size.cpus)),
      memoryMiB: sum(group.map(({ size }) => size.memoryMiB)),
      gpus: 0,
      nodes: 0,
    };
  });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
