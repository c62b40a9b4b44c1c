import type {
  Amounts,
  AvailabilityStep,
  CapacityReport,
  PoolReport,
  Slot,
} from '@switchyard/core/placement/capacity-report.ts';
import type * as proto from '@switchyard/proto/switchyard/v1/capacity.ts';
import { plainText } from './wire.ts';

/** Bounds of what one report may keep in the database and in memory. */
const MAX_POOLS = 1000;
const MAX_STEPS = 32;
const MAX_NAMES = 1000;

/** The capacity report of an agent as core knows it; what is missing is zero or "no limit known", never an error. */
export function capacityFromWire(report: proto.CapacityReport): CapacityReport {
  return {
    total: amounts(report.total),
    free: amounts(report.free),
    runningJobs: report.runningJobs,
    waitingJobs: report.waitingJobs,
    pools: report.pools.slice(0, MAX_POOLS).map(pool),
    maxArrayIndex: report.maxArrayIndex ?? null,
    submitSlotsLeft: report.submitSlotsLeft ?? null,
    software: plainText(report.software, 255),
    notes: names(report.notes),
  };
}

function pool(report: proto.PoolReport): PoolReport {
  return {
    name: plainText(report.name, 255),
    isDefault: report.isDefault,
    up: report.up,
    nativeState: plainText(report.nativeState, 255),
    total: amounts(report.total),
    free: amounts(report.free),
    largestNode: slot(report.largestNode),
    largestFreeSlot: slot(report.largestFreeSlot),
    maxWalltimeSeconds: report.maxWalltimeSeconds ?? null,
    defaultWalltimeSeconds: report.defaultWalltimeSeconds ?? null,
    maxNodesPerJob: report.maxNodesPerJob ?? null,
    maxCpusPerNode: report.maxCpusPerNode ?? null,
    maxMemoryMiBPerNode: report.maxMemoryMibPerNode ?? null,
    gpuTypes: names(report.gpuTypes),
    features: names(report.features),
    runningJobs: report.runningJobs,
    waitingJobs: report.waitingJobs,
    waitingCpus: report.waitingCpus,
    waitingCpuSeconds: report.waitingCpuSeconds,
    steps: report.steps.slice(0, MAX_STEPS).map(step),
  };
}

function amounts(wire: proto.Amounts | undefined): Amounts {
  return { nodes: wire?.nodes ?? 0, cpus: wire?.cpus ?? 0, memoryMiB: wire?.memoryMib ?? 0, gpus: wire?.gpus ?? 0 };
}

function slot(wire: proto.Slot | undefined): Slot {
  return { cpus: wire?.cpus ?? 0, memoryMiB: wire?.memoryMib ?? 0, gpus: wire?.gpus ?? 0 };
}

function step(wire: proto.AvailabilityStep): AvailabilityStep {
  const { afterSeconds, cpus, memoryMib, gpus, nodes } = wire;
  return { afterSeconds, cpus, memoryMiB: memoryMib, gpus, nodes };
}

function names(wire: readonly string[]): string[] {
  return wire.slice(0, MAX_NAMES).map((name) => plainText(name, 1024));
}
