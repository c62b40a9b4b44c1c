import { isFinished, startClaimOf } from '../start/start-claim.ts';
import type { QueuedJob } from './kueue-types.ts';
import type { WorkloadFacts } from './workload-facts.ts';

export type EvictionVerdict =
  /** Nothing was taken away from it, or nothing of it had started: Kueue queues it again and the run goes on waiting. */
  | { readonly kind: 'none' }
  /**
   * A started run was taken back: it ends `failed`, `preempted`, once `confirmed` (none of its payloads runs any more), and its
   * Workload is to be deactivated at once, so that it asks for no quota for pods that may never start.
   */
  | { readonly kind: 'preempted'; readonly confirmed: boolean; readonly detail: string };

/** Of one Job, from a view of the pods that is synced. */
export type PodCounts = {
  /** Let go, and their containers have not all ended. */
  readonly live: number;
  /** Still behind the gate. */
  readonly held: number;
};

/**
 * Whether Kueue has taken a started run back. Told by the Job and its pods alone, so that an agent that was away sees it too: the
 * Job is suspended, or it was resumed since (its generation is not the one that was claimed, nothing runs, and new pods are held).
 * A changed generation alone says nothing: people edit Jobs. The Workload tells it a moment earlier and gives the sentence.
 */
export function evictionEnd(job: QueuedJob, workload: WorkloadFacts | null, pods: PodCounts): EvictionVerdict {
  const claim = startClaimOf(job);
  if (claim.kind !== 'started' || isFinished(job.status) || job.metadata.deletionTimestamp) return { kind: 'none' };
  const suspended = job.spec.suspend === true;
  const resumed = claim.generation !== job.metadata.generation && pods.live === 0 && pods.held > 0;
  const evicted = workload?.owner?.uid === job.metadata.uid && workload?.evicted != null;
  if (!suspended && !resumed && !evicted) return { kind: 'none' };
  return {
    kind: 'preempted',
    confirmed: (suspended || resumed) && pods.live === 0,
    detail: evictionSentence(workload),
  };
}

/** Kueue's own words for why it took a run back. */
export function evictionSentence(workload: WorkloadFacts | null): string {
  const evicted = workload?.evicted;
  if (!workload || !evicted) return 'the Job was suspended after it had started, and Kueue no longer says why';
  const why = [evicted.reason, workload.preemptedBy].filter(Boolean).join(', ');
  return `Kueue evicted it (${why}): ${evicted.message || 'no reason given'}`;
}

/** Whether a Workload that is seen must be deactivated: its Job may never start, or not again. */
export function mustBeDeactivated(job: QueuedJob, workload: WorkloadFacts, eviction: EvictionVerdict): boolean {
  if (workload.owner?.uid !== job.metadata.uid || !workload.active || workload.finished || workload.deleting)
    return false;
  return startClaimOf(job).kind === 'never' || eviction.kind === 'preempted';
}
