import type { ClusterKind } from '../spec/job-spec.ts';
import type { ResourceRequest } from './resources.ts';

/**
 * The sizes of a job on a cluster of one kind. Slurm and LSF spread the processes of a job that names no node count over
 * whatever has room; on Kubernetes it is one pod, and on this host one process group, so that one node must have room for all of it.
 */
export function requestOn(kind: ClusterKind, request: ResourceRequest): ResourceRequest {
  if (kind === 'slurm' || kind === 'lsf' || request.nodes > 1) return request;
  return { ...request, cpusPerNode: request.cpus, memoryMiBPerNode: request.memoryMiB };
}
