import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { requestOf } from '@switchyard/core/placement/resources.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import type { Size } from './job.ts';

/** The one pool of a host. */
export const POOL = 'default';

/** Why this host can never run the job, as a sentence; null when it can. */
export function objection({ spec, pool }: RunOrder, total: Size): string | null {
  const { nodes, gpus } = requestOf(spec);
  const [feature] = spec.constraints.features ?? [];
  const size = sizeOf(spec, total);
  if (pool !== '' && pool !== POOL) return `a local cluster has the one pool '${POOL}', not '${pool}'`;
  if (spec.image !== undefined) return `a local cluster runs no container images, the job asks for '${spec.image}'`;
  if (nodes > 1) return `a local cluster is one host, the job asks for ${nodes} nodes`;
  if (gpus > 0) return `a local cluster gives out no GPUs, the job asks for ${gpus}`;
  if (feature !== undefined) return `a local cluster has no features, the job asks for '${feature}'`;
  if (size.cpus > total.cpus) return `the job asks for ${size.cpus} CPUs, all of this cluster has ${total.cpus}`;
  if (size.memoryMiB > total.memoryMiB)
    return `the job asks for ${size.memoryMiB} MiB of memory, all of this cluster has ${total.memoryMiB} MiB`;
  return null;
}

/** What one task takes. A job that asks for no memory gets the share of its CPUs. */
export function sizeOf(spec: JobSpec, total: Size): Size {
  const { cpus, memoryMiB, exclusive } = requestOf(spec);
  const taken = exclusive ? Math.max(cpus, total.cpus) : cpus;
  return { cpus: taken, memoryMiB: memoryMiB || Math.max(1, Math.floor((total.memoryMiB * taken) / total.cpus)) };
}
