import { parseRangeSet, type RangeSet, union } from '@switchyard/core/spec/range-set.ts';
import { whenTrue } from '../conditions.ts';
import type { QueuedJob } from '../kueue/kueue-types.ts';
import { QUEUE_NAME_LABEL, WITHDRAW_ASKED_ANNOTATION, WITHDRAW_LOST_ANNOTATION } from '../names.ts';
import { hasGate, START_CLAIM_ANNOTATION } from '../start/start-claim.ts';
import { momentMs } from './moment.ts';

/** What this agent keeps of one of its Jobs. */
export type JobFacts = {
  readonly uid: string;
  readonly resourceVersion: string;
  readonly createdAtMs: number;
  readonly deleting: boolean;
  readonly suspended: boolean;
  /** The final conditions: all its pods have ended. */
  readonly finished: { readonly kind: 'complete' | 'failed'; readonly reason: string; readonly message: string } | null;
  readonly finishedAtMs: number;
  /** It will end so; pods of it may still run. */
  readonly failing: boolean;
  readonly completedIndexes: RangeSet;
  readonly failedIndexes: RangeSet;
  /** Kueue's LocalQueue; empty: it is not queued. */
  readonly queue: string;
  /** No pod of it starts before this agent says so. */
  readonly gated: boolean;
  readonly generation: number;
  /** The start of a queued Job, as it was claimed; null: by nobody. */
  readonly startClaim: string | null;
  /** What this agent wrote before it took pods away. */
  readonly asked: Asked | null;
  /** Tasks for which that came too late. */
  readonly lost: RangeSet;
};

/** What was asked of a run: that it does not start, or that it ends. What gives way is not refused: it is to come again at once. */
export type Asked = (typeof ASKED)[number];
const ASKED = ['withdraw', 'cancel', 'give back', 'give way'] as const;

export function jobFacts({ metadata, spec, status }: QueuedJob): JobFacts {
  const complete = whenTrue(status?.conditions, 'Complete');
  const failed = whenTrue(status?.conditions, 'Failed');
  const last = complete ?? failed;
  return {
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    createdAtMs: momentMs(metadata.creationTimestamp),
    deleting: Boolean(metadata.deletionTimestamp),
    suspended: spec.suspend === true,
    finished: last
      ? { kind: complete ? 'complete' : 'failed', reason: last.reason ?? '', message: last.message ?? '' }
      : null,
    finishedAtMs: momentMs(last?.lastTransitionTime),
    failing: failed !== null || whenTrue(status?.conditions, 'FailureTarget') !== null,
    completedIndexes: indexSet(status?.completedIndexes),
    failedIndexes: indexSet(status?.failedIndexes),
    queue: metadata.labels?.[QUEUE_NAME_LABEL] ?? '',
    gated: hasGate(spec.template),
    generation: metadata.generation ?? 0,
    startClaim: metadata.annotations?.[START_CLAIM_ANNOTATION] ?? null,
    asked: askedOf(metadata.annotations?.[WITHDRAW_ASKED_ANNOTATION]),
    lost: indexSet(metadata.annotations?.[WITHDRAW_LOST_ANNOTATION]),
  };
}

/** What is known after one more version of the same Job, of whatever age. */
export function mergeJob(before: JobFacts | null, now: JobFacts): JobFacts {
  if (before === null || before.uid !== now.uid) return now;
  return {
    ...(isOlder(now, before) ? before : now),
    deleting: before.deleting || now.deleting,
    failing: before.failing || now.failing,
    startClaim: now.startClaim ?? before.startClaim,
    asked: now.asked ?? before.asked,
    lost: union(before.lost, now.lost),
  };
}

/** Each change of the spec raises the generation; an end and the claim of a start are never taken back. */
function isOlder(now: JobFacts, before: JobFacts): boolean {
  return (
    now.generation < before.generation ||
    (before.finished !== null && now.finished === null) ||
    (before.startClaim !== null && now.startClaim === null)
  );
}

function indexSet(text: string | undefined): RangeSet {
  const parsed = text ? parseRangeSet(text) : null;
  return parsed?.ok ? parsed.set : [];
}

function askedOf(text: string | undefined): Asked | null {
  return ASKED.find((asked) => asked === text) ?? null;
}
