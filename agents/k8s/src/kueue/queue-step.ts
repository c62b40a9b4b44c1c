import type { Pod } from '../api-types.ts';
import { type EvictionVerdict, evictionEnd, mustBeDeactivated, type PodCounts } from './eviction-end.ts';
import type { QueuedJob } from './kueue-types.ts';
import { hasGate, isPodOf, podsToLetGo, startClaimOf } from './start-claim.ts';
import type { WorkloadFacts } from './workload-facts.ts';

export type QueueStep = {
  readonly eviction: EvictionVerdict;
  /** Call `letPodsGo`. */
  readonly letGo: boolean;
  /** Call `deactivateWorkloads`. */
  readonly deactivate: boolean;
};

/** What a queued Job needs now; asked again after every change of the Job, one of its pods or its Workload. */
export function queueStep(job: QueuedJob, workload: WorkloadFacts | null, pods: readonly Pod[]): QueueStep {
  const uid = job.metadata.uid ?? '';
  const eviction = evictionEnd(job, workload, countPods(pods, uid));
  return {
    eviction,
    letGo: eviction.kind === 'none' && startClaimOf(job).kind !== 'never' && podsToLetGo(pods, uid).length > 0,
    deactivate: workload !== null && mustBeDeactivated(job, workload, eviction),
  };
}

export function countPods(pods: readonly Pod[], jobUid: string): PodCounts {
  const own = pods.filter((pod) => isPodOf(pod, jobUid));
  const ended = ({ status }: Pod) => status?.phase === 'Succeeded' || status?.phase === 'Failed';
  return {
    live: own.filter((pod) => !hasGate(pod) && !ended(pod)).length,
    held: own.filter((pod) => hasGate(pod) && !pod.metadata.deletionTimestamp).length,
  };
}
