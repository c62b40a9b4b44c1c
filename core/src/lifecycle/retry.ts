import type { JobSpec } from '../spec/job-spec.ts';
import type { Reason, TaskEnd } from './vocabulary.ts';

/** `rerunnable` alone would say nothing if a job had one attempt: what may run again does, unless it says how often. */
export const RERUNNABLE_ATTEMPTS = 3;

/** A cluster may refuse for a passing cause (disk full, submit limit); after so many refusals in a row nobody is helped by more. */
export const MAX_REFUSALS = 8;
const MAX_BACKOFF_SECONDS = 300;

/** Ends that say something about the cluster and nothing about the payload. */
const INFRASTRUCTURE: readonly Reason[] = ['node_failure', 'preempted', 'cluster_lost'];

export type AfterEnd =
  /** The tasks have this end for good. */
  | { readonly kind: 'final'; readonly outcome: 'succeeded' | 'failed' | 'cancelled' }
  | {
      readonly kind: 'requeue';
      readonly backoffSeconds: number;
      readonly usesAttempt: boolean;
      readonly avoidCluster: boolean;
    }
  /** The tasks never started and are not tried again. */
  | { readonly kind: 'fail'; readonly reason: Reason; readonly sentence: string };

export type EndedAttempt = {
  readonly end: Pick<TaskEnd, 'outcome' | 'reason' | 'exitCode' | 'detail'>;
  /** Attempts made so far, this one included: 1 for the first. */
  readonly attempt: number;
  readonly rerunnable: boolean;
  readonly retry: Pick<JobSpec['retry'], 'maxAttempts' | 'on'>;
  /** Refusals of this job before this one. */
  readonly refusals: number;
  readonly cancelRequested: boolean;
};

/**
 * What follows when tasks of a run have ended. In this order: nothing is made again after a cancel; what never started is
 * made again freely (a withdrawal at once, a refusal elsewhere after a pause, until MAX_REFUSALS); what started only if the
 * job allows it and has attempts left.
 */
export function afterEnd({ end, attempt, rerunnable, retry, refusals, cancelRequested }: EndedAttempt): AfterEnd {
  if (end.outcome === 'withdrawn' || end.outcome === 'refused') {
    if (cancelRequested) return { kind: 'final', outcome: 'cancelled' };
    return end.outcome === 'withdrawn' ? again(0, false, false) : afterRefusal(refusals + 1, end.detail);
  }
  const { outcome } = end;
  const most = retry.maxAttempts ?? (rerunnable ? RERUNNABLE_ATTEMPTS : 1);
  if (outcome !== 'failed' || cancelRequested || attempt >= most) return { kind: 'final', outcome };
  const infrastructure = end.reason !== undefined && INFRASTRUCTURE.includes(end.reason);
  if (infrastructure && rerunnable) return again(backoff(attempt), true, true);
  const named = end.reason === 'exit_code' && end.exitCode !== undefined && retry.on.exitCodes.includes(end.exitCode);
  return named ? again(backoff(attempt), true, false) : { kind: 'final', outcome };
}

function afterRefusal(refusals: number, detail: string | undefined): AfterEnd {
  if (refusals < MAX_REFUSALS) return again(backoff(refusals), false, true);
  const sentence = `refused ${refusals} times, the last time: ${detail ?? 'no reason was given'}`;
  return { kind: 'fail', reason: 'rejected', sentence };
}

function again(backoffSeconds: number, usesAttempt: boolean, avoidCluster: boolean): AfterEnd {
  return { kind: 'requeue', backoffSeconds, usesAttempt, avoidCluster };
}

/** Doubles from two seconds to five minutes. */
function backoff(times: number): number {
  return Math.min(MAX_BACKOFF_SECONDS, 2 ** times);
}
