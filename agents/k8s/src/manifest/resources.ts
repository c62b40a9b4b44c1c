import { requestOn } from '@switchyard/core/placement/request-on.ts';
import { requestOf } from '@switchyard/core/placement/resources.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import type { Quantities, ResourceRequirements } from '../api-types.ts';
import type { KubernetesConfig } from '../config.ts';

type Sizes = Pick<KubernetesConfig, 'gpuResource' | 'defaultMemoryMiB' | 'maxCpusPerTask' | 'maxMemoryMiB' | 'maxGpus'>;

/** What each pod of a job asks for. */
export type PodSize = {
  /** Pods of one task; above 1 they are a gang. */
  readonly nodes: number;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
};

export function podSizeOf(spec: Pick<JobSpec, 'resources'>, { defaultMemoryMiB }: Sizes): PodSize {
  const request = requestOn('kubernetes', requestOf(spec));
  return {
    nodes: request.nodes,
    cpus: request.cpusPerNode,
    memoryMiB: request.memoryMiBPerNode || defaultMemoryMiB,
    gpus: request.gpusPerNode,
  };
}

/** The first limit of the agent's file that one task of the job is over, as a sentence. */
export function sizeRefusal({ nodes, cpus, memoryMiB, gpus }: PodSize, limits: Sizes): string | null {
  return (
    over('resources: the job asks for', cpus * nodes, limits.maxCpusPerTask, 'CPUs') ??
    over('resources: the job asks for', memoryMiB * nodes, limits.maxMemoryMiB, 'MiB of memory') ??
    over('resources.gpusPerNode: the job asks for', gpus * nodes, limits.maxGpus, 'GPUs')
  );
}

function over(what: string, asked: number, limit: number | undefined, unit: string): string | null {
  return limit === undefined || asked <= limit
    ? null
    : `${what} ${asked} ${unit}, this cluster's agent allows at most ${limit} for one task`;
}

/** Requests equal limits: what is promised is what is there, and the pod is the last to be evicted (class Guaranteed). */
export function requirementsOf(
  { cpus, memoryMiB, gpus }: PodSize,
  { gpuResource }: Sizes,
  ephemeralStorageMiB: number | null,
): ResourceRequirements {
  const amounts: Quantities = {
    cpu: String(cpus),
    memory: `${memoryMiB}Mi`,
    ...(gpus > 0 ? { [gpuResource]: String(gpus) } : {}),
    ...(ephemeralStorageMiB === null ? {} : { 'ephemeral-storage': `${ephemeralStorageMiB}Mi` }),
  };
  return { requests: amounts, limits: amounts };
}
