/**
 * What an agent says its cluster has. Counts are whole CPUs and MiB; `null` means the cluster sets no limit or does not say.
 * Pools may overlap, so the sums over pools mean nothing: the totals of the cluster stand on their own.
 */
export type Amounts = {
  readonly nodes: number;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
};

/** The largest job that could start now: whole nodes of the pool, and what one node has left. */
export type Slot = { readonly cpus: number; readonly memoryMiB: number; readonly gpus: number };

/** At `afterSeconds` from the report, so much more is free (running jobs reach their requested limits). */
export type AvailabilityStep = {
  readonly afterSeconds: number;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  readonly nodes: number;
};

export type PoolReport = {
  readonly name: string;
  /** Where a job goes that names no pool. */
  readonly isDefault: boolean;
  /** False when the pool takes no jobs (down, inactive, drained), with the native word for it. */
  readonly up: boolean;
  readonly nativeState: string;
  readonly total: Amounts;
  readonly free: Amounts;
  /** The largest single node of the pool, empty: what one node could ever give. */
  readonly largestNode: Slot;
  readonly largestFreeSlot: Slot;
  readonly maxWalltimeSeconds: number | null;
  readonly defaultWalltimeSeconds: number | null;
  readonly maxNodesPerJob: number | null;
  readonly maxCpusPerNode: number | null;
  readonly maxMemoryMiBPerNode: number | null;
  readonly gpuTypes: readonly string[];
  readonly features: readonly string[];
  readonly runningJobs: number;
  readonly waitingJobs: number;
  /** CPUs that the waiting jobs of everybody ask for. */
  readonly waitingCpus: number;
  /** Demand queued ahead in CPU seconds (requested size × limit). */
  readonly waitingCpuSeconds: number;
  /** Ascending, at most 32. */
  readonly steps: readonly AvailabilityStep[];
};

export type CapacityReport = {
  readonly total: Amounts;
  readonly free: Amounts;
  readonly runningJobs: number;
  readonly waitingJobs: number;
  readonly pools: readonly PoolReport[];
  /** Largest array index a native array may have (Slurm: MaxArraySize − 1); null: no limit known. */
  readonly maxArrayIndex: number | null;
  /** How many more native jobs this agent's user may submit; null: no limit known. */
  readonly submitSlotsLeft: number | null;
  /** Native scheduler and version, `slurm 22.05.8`. */
  readonly software: string;
  /** What the numbers leave out, for people: `other users' jobs are hidden (PrivateData)`. */
  readonly notes: readonly string[];
};
