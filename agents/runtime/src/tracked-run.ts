import type { ClaimRecord } from '@switchyard/core/lifecycle/claim-record.ts';
import type { End } from '@switchyard/core/lifecycle/evidence.ts';
import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import {
  contains,
  difference,
  EMPTY,
  equal,
  formatRangeSet,
  fromIndexes,
  indexes,
  intersection,
  type RangeSet,
  rangeSet,
  union,
} from '@switchyard/core/spec/range-set.ts';
import type { RunOrder, RunStatus } from './backend.ts';
import type { NativeJob } from './native-queue.ts';

/** A run as its directory describes it; what is needed of the spec is in the paths. */
export type RunRecord = {
  readonly order: Omit<RunOrder, 'spec'>;
  readonly isArray: boolean;
  readonly stdoutPath: string;
  readonly stderrPath: string;
};

/** A submit whose answer never came: only a later listing tells whether it happened. */
export type PendingSubmit = { readonly order: RunOrder; sinceMs: number; notBeforeMs: number; attempts: number };

/** How long a task's native job has been out of sight, or ended without a record. */
export type Limbo = { readonly sinceMs: number; listingsWithout: number };

/** Everything the agent knows of one run, in memory; claims and listing rebuild it after a restart. */
export type TrackedRun = RunRecord & {
  readonly tasks: RangeSet;
  /** False when the state directory lost the run: nothing can start, but something may have. */
  hasDirectory: boolean;
  placed: boolean;
  nativeId: string;
  nativeSubmittedAtMs: number;
  nativeState: string;
  nativeReason: string;
  nativePool: string;
  started: RangeSet;
  startedAtMs: number;
  ended: RangeSet;
  ends: readonly TaskEnd[];
  /** Claims of starts whose end is not known yet. */
  readonly claims: Map<number, ClaimRecord>;
  readonly limbo: Map<number, Limbo>;
  /** When the claims of running tasks were last read again, in case the cluster missed an end. */
  lookedAgainAtMs: number;
  cancelWanted: boolean;
  killedAtMs: number;
  pending: PendingSubmit | null;
  /** Under way: a second Offer waits for the same answer. */
  submitting: Promise<void> | null;
  /** What the last listing said, to see at a glance that nothing changed. */
  seen: string;
  /** The last listing had a job of it that can still start or run. */
  alive: boolean;
  /** To be looked at after the next listing even if that says the same. */
  restless: boolean;
  askedAccountingAtMs: number;
  /** What accounting last said of tasks in limbo; it knows exit codes that a listing does not show. */
  stored: readonly NativeJob[];
  /** Until accounting has answered, an end without a record waits for it. */
  owedAccounting: boolean;
};

export function trackRun(record: RunRecord, hasDirectory = true): TrackedRun {
  return {
    ...record,
    tasks: rangeSet(record.order.tasks),
    hasDirectory,
    placed: false,
    nativeId: '',
    nativeSubmittedAtMs: 0,
    nativeState: '',
    nativeReason: '',
    nativePool: '',
    started: EMPTY,
    startedAtMs: 0,
    ended: EMPTY,
    ends: [],
    claims: new Map(),
    limbo: new Map(),
    lookedAgainAtMs: 0,
    cancelWanted: false,
    killedAtMs: 0,
    pending: null,
    submitting: null,
    seen: '',
    alive: false,
    restless: true,
    askedAccountingAtMs: 0,
    stored: [],
    owedAccounting: true,
  };
}

/** The run as the broker hears of it. */
export function statusOf(run: TrackedRun): RunStatus {
  return {
    runId: run.order.runId,
    placementNumber: run.order.placementNumber,
    placed: run.placed,
    nativeId: run.nativeId,
    nativeSubmittedAtMs: run.nativeSubmittedAtMs,
    nativeState: run.nativeState,
    nativeReason: run.nativeReason,
    nativePool: run.nativePool,
    started: formatRangeSet(run.started),
    startedAtMs: run.startedAtMs,
    ends: run.ends,
    stdoutPath: run.stdoutPath,
    stderrPath: run.stderrPath,
  };
}

export function openTasks(run: TrackedRun): RangeSet {
  return difference(run.tasks, run.ended);
}

export function hasEnded(run: TrackedRun): boolean {
  return equal(run.ended, run.tasks);
}

/** The payload of this task has started, by the claim that says so. */
export function noteStart(run: TrackedRun, task: number, claim: ClaimRecord): void {
  if (claim.by !== 'wrapper') return;
  run.placed = true;
  run.claims.set(task, claim);
  if (claim.nativeId !== '' && !run.isArray) run.nativeId = claim.nativeId;
  const at = claim.startedAtMs ?? claim.claimedAtMs ?? 0;
  if (at > 0) run.startedAtMs = run.startedAtMs === 0 ? at : Math.min(run.startedAtMs, at);
  if (!contains(run.started, task)) run.started = union(run.started, [[task, task]]);
}

/** The end of these tasks; the first one that is known stays. */
export function noteEnd(run: TrackedRun, tasks: Iterable<number>, end: End): void {
  const fresh = difference(intersection(fromIndexes(tasks), run.tasks), run.ended);
  if (fresh.length === 0) return;
  run.ended = union(run.ended, fresh);
  for (const task of indexes(fresh)) {
    run.claims.delete(task);
    run.limbo.delete(task);
  }
  run.ends = run.isArray ? grouped(run.ends, fresh, end) : [...run.ends, { ...end, tasks: formatRangeSet(fresh) }];
}

/** Tasks that ended alike are one end, from the first start to the last end, so that a large array stays a small message. */
export function grouped(ends: readonly TaskEnd[], fresh: RangeSet, end: End): TaskEnd[] {
  const at = ends.findIndex((other) => likeness(other) === likeness(end));
  const other = ends[at];
  if (!other) return [...ends, { ...end, tasks: formatRangeSet(fresh) }];
  const { startedAtMs: _, endedAtMs: __, peakMemoryBytes: ___, host: ____, ...alike } = other;
  const merged: TaskEnd = {
    ...alike,
    tasks: formatRangeSet(union(rangeSet(other.tasks), fresh)),
    ...only('startedAtMs', other.startedAtMs, end.startedAtMs, Math.min),
    ...only('endedAtMs', other.endedAtMs, end.endedAtMs, Math.max),
    ...only('peakMemoryBytes', other.peakMemoryBytes, end.peakMemoryBytes, Math.max),
    ...(other.host !== undefined && other.host === end.host ? { host: other.host } : {}),
  };
  return ends.with(at, merged);
}

function likeness({ outcome, reason, exitCode, signal, detail }: End): string {
  return JSON.stringify([outcome, reason, exitCode, signal, detail]);
}

function only<Name extends string>(
  name: Name,
  left: number | undefined,
  right: number | undefined,
  pick: (left: number, right: number) => number,
): { [key in Name]?: number } {
  const value = left === undefined ? right : right === undefined ? left : pick(left, right);
  return (value === undefined ? {} : { [name]: value }) as { [key in Name]?: number };
}
