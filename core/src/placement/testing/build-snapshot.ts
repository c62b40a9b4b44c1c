import { type JobSpecInput, jobSpecSchema } from '../../spec/job-spec.ts';
import { isArray, taskSet } from '../../spec/task-set.ts';
import type { CapacityReport, PoolReport } from '../capacity-report.ts';
import type { ClusterView, PlacementSettings, Snapshot, WaitingJob } from '../snapshot.ts';

/** Snapshots for tests: whole and plausible, with only what the test is about written out. */
export const NOW = Date.UTC(2026, 10, 30);

export const SETTINGS: PlacementSettings = { policy: 'least-loaded', staleAfterMs: 30_000, limit: 1_000_000 };

export function snapshot(jobs: readonly WaitingJob[], clusters: readonly ClusterView[]): Snapshot {
  return { jobs, clusters, pausedReason: null };
}

export function pool(change: Partial<PoolReport> = {}): PoolReport {
  return {
    ...{ name: 'main', isDefault: true, up: true, nativeState: 'UP' },
    total: { nodes: 4, cpus: 64, memoryMiB: 64_000, gpus: 0 },
    free: { nodes: 4, cpus: 64, memoryMiB: 64_000, gpus: 0 },
    largestNode: { cpus: 16, memoryMiB: 16_000, gpus: 0 },
    largestFreeSlot: { cpus: 16, memoryMiB: 16_000, gpus: 0 },
    ...{ maxWalltimeSeconds: 86_400, defaultWalltimeSeconds: 3600, maxNodesPerJob: null },
    ...{ maxCpusPerNode: null, maxMemoryMiBPerNode: null, gpuTypes: [], features: [] },
    ...{ runningJobs: 0, waitingJobs: 0, waitingCpus: 0, waitingCpuSeconds: 0, steps: [] },
    ...change,
  };
}

export function report(pools: readonly PoolReport[] = [pool()], change: Partial<CapacityReport> = {}): CapacityReport {
  const most = (pick: (each: PoolReport) => CapacityReport['total']) => ({
    nodes: Math.max(0, ...pools.map((each) => pick(each).nodes)),
    cpus: Math.max(0, ...pools.map((each) => pick(each).cpus)),
    memoryMiB: Math.max(0, ...pools.map((each) => pick(each).memoryMiB)),
    gpus: Math.max(0, ...pools.map((each) => pick(each).gpus)),
  });
  return {
    ...{ total: most(({ total }) => total), free: most(({ free }) => free), runningJobs: 0, waitingJobs: 0, pools },
    ...{ maxArrayIndex: 1000, submitSlotsLeft: null, software: 'slurm 22.05.8', notes: [] },
    ...change,
  };
}

export function cluster(name: string, change: Partial<ClusterView> = {}): ClusterView {
  return {
    ...{ name, kind: 'slurm', admission: 'active', labels: {}, filesystems: [], allowedNativeOptions: [] },
    ...{ report: report(), reportedAtMs: NOW - 1000, connected: true, breakerReason: null, backlog: 200 },
    ...{ waitingTasks: 0, unstarted: [], unansweredOffers: 0, placedCount: 0 },
    ...change,
  };
}

let lastNumber = 0;

export function job(input: Partial<JobSpecInput> = {}, change: Partial<WaitingJob> = {}): WaitingJob {
  const spec = jobSpecSchema.parse({ command: ['true'], ...input });
  lastNumber += 1;
  return {
    ...{ id: `job-${String(lastNumber).padStart(8, '0')}`, number: lastNumber, groupPath: 'default', owner: 'ada' },
    ...{ priority: spec.priority, createdAtMs: NOW, spec, isArray: isArray(spec), queued: taskSet(spec), outTasks: 0 },
    ...{ maxRunning: spec.array?.maxRunning ?? null, notBeforeMs: null, avoidClusters: [], dependency: 'met' },
    ...change,
  };
}
