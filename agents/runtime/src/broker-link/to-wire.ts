import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import type * as proto from '@switchyard/proto/switchyard/v1/agent.ts';
import type * as wire from '@switchyard/proto/switchyard/v1/capacity.ts';
import type { KnownRun, RunStatus } from '../backend.ts';

/** A status as an observation: the fields mean the same, only "not known" differs. */
export function statusToWire(status: RunStatus): proto.RunObservation {
  return { ...status, ends: status.ends.map(endToWire) };
}

export function knownRunToWire({ order, status, forgotten }: KnownRun): proto.InventoryRun {
  const { jobId, jobNumber, attempt, tasks, specHash } = order;
  return { observation: statusToWire(status), jobId, jobNumber, attempt, tasks, specHash, forgotten };
}

export function capacityToWire(report: CapacityReport): wire.CapacityReport {
  return {
    total: amounts(report.total),
    free: amounts(report.free),
    runningJobs: report.runningJobs,
    waitingJobs: report.waitingJobs,
    pools: report.pools.map(pool),
    ...limit('maxArrayIndex', report.maxArrayIndex),
    ...limit('submitSlotsLeft', report.submitSlotsLeft),
    software: report.software,
    notes: [...report.notes],
  };
}

function endToWire(end: TaskEnd): proto.TaskEnd {
  const { startedAtMs, endedAtMs, peakMemoryBytes, exitCode } = end;
  return {
    outcome: end.outcome,
    reason: end.reason ?? '',
    signal: end.signal ?? '',
    detail: end.detail ?? '',
    tasks: end.tasks,
    host: end.host ?? '',
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(startedAtMs === undefined ? {} : { startedAtMs: Math.round(startedAtMs) }),
    ...(endedAtMs === undefined ? {} : { endedAtMs: Math.round(endedAtMs) }),
    ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }),
  };
}

function pool(report: CapacityReport['pools'][number]): wire.PoolReport {
  const { maxMemoryMiBPerNode, maxWalltimeSeconds, defaultWalltimeSeconds, maxNodesPerJob, maxCpusPerNode, ...plain } =
    report;
  return {
    ...plain,
    total: amounts(report.total),
    free: amounts(report.free),
    largestNode: slot(report.largestNode),
    largestFreeSlot: slot(report.largestFreeSlot),
    ...limit('maxWalltimeSeconds', maxWalltimeSeconds),
    ...limit('defaultWalltimeSeconds', defaultWalltimeSeconds),
    ...limit('maxNodesPerJob', maxNodesPerJob),
    ...limit('maxCpusPerNode', maxCpusPerNode),
    ...limit('maxMemoryMibPerNode', maxMemoryMiBPerNode),
    gpuTypes: [...report.gpuTypes],
    features: [...report.features],
    steps: report.steps.map(({ memoryMiB: memoryMib, ...step }) => ({ ...step, memoryMib })),
  };
}

function amounts({ memoryMiB: memoryMib, ...rest }: CapacityReport['total']): wire.Amounts {
  return { ...rest, memoryMib };
}

function slot({ cpus, memoryMiB: memoryMib, gpus }: { cpus: number; memoryMiB: number; gpus: number }): wire.Slot {
  return { cpus, memoryMib, gpus };
}

/** Absent on the wire: no limit known. */
function limit<Name extends string>(name: Name, value: number | null): { [key in Name]?: number } {
  return (value === null ? {} : { [name]: value }) as { [key in Name]?: number };
}
