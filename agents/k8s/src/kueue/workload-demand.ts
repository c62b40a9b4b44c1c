import type { Quantities } from '../api-types.ts';
import { type PodRequest, podRequest } from '../capacity/pod-request.ts';
import { milli, units } from '../capacity/quantity.ts';
import type { Workload } from './kueue-types.ts';

export type Demand = PodRequest & {
  /** The longest limit among its pods; 0 when they have none. */
  readonly limitSeconds: number;
};

const NOTHING: PodRequest = { cpuMilli: 0, memoryBytes: 0, gpus: 0 };

/**
 * What a Workload asks of the quota in all: as Kueue counted it where it says so (with limit ranges and overhead), else from its
 * pods' requests.
 */
export function workloadDemand(workload: Workload, gpuResource: string): Demand {
  const podSets = workload.spec?.podSets ?? [];
  const limits = podSets.map(({ template }) => template?.spec?.activeDeadlineSeconds ?? 0);
  const limitSeconds = Math.max(0, ...limits);
  const counted = countedByKueue(workload);
  const sizes = counted
    ? counted.map((quantities) => sizeOf(quantities, gpuResource))
    : podSets.map(({ template, count = 1 }) =>
        template ? times(podRequest({ spec: template.spec }, gpuResource), count) : NOTHING,
      );
  return { ...sizes.reduce(plus, NOTHING), limitSeconds };
}

function countedByKueue({ status }: Workload): readonly Quantities[] | null {
  const admitted = status?.admission?.podSetAssignments?.map(({ resourceUsage }) => resourceUsage);
  const considered = status?.resourceRequests?.map(({ resources }) => resources);
  const counted = admitted ?? considered;
  return counted && counted.length > 0 && counted.every((each) => each !== undefined)
    ? (counted as Quantities[])
    : null;
}

function sizeOf(quantities: Quantities, gpuResource: string): PodRequest {
  return {
    cpuMilli: milli(quantities['cpu'], 'up'),
    memoryBytes: units(quantities['memory'], 'up'),
    gpus: units(quantities[gpuResource], 'up'),
  };
}

function times({ cpuMilli, memoryBytes, gpus }: PodRequest, count: number): PodRequest {
  return { cpuMilli: cpuMilli * count, memoryBytes: memoryBytes * count, gpus: gpus * count };
}

function plus(one: PodRequest, other: PodRequest): PodRequest {
  return {
    cpuMilli: one.cpuMilli + other.cpuMilli,
    memoryBytes: one.memoryBytes + other.memoryBytes,
    gpus: one.gpus + other.gpus,
  };
}
