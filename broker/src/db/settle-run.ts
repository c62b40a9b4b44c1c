import { endedTasks, tasksOf } from '@switchyard/core/lifecycle/ended-tasks.ts';
import { jobEnd, jobState } from '@switchyard/core/lifecycle/job-state.ts';
import { mergeRun, type Observation } from '@switchyard/core/lifecycle/merge-observation.ts';
import { type AfterEnd, afterEnd } from '@switchyard/core/lifecycle/retry.ts';
import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import { difference, EMPTY, formatRangeSet, type RangeSet, union } from '@switchyard/core/spec/range-set.ts';
import { byAttempt } from './by-attempt.ts';
import type { LockedJob } from './locked-jobs.ts';
import type { LockedRun } from './locked-runs.ts';

/** Where and when an observation was made. */
export type Observed = { readonly epoch: number; readonly counter: number; readonly nowMs: number };

/** Merges what is seen of a run into it and its job, in memory: the decisions are core/lifecycle's, the bookkeeping is here. */
export function settleRun(job: LockedJob, run: LockedRun, observation: Observation, observed: Observed): LockedRun {
  const isOld = run.observedEpoch === observed.epoch && run.observedCounter > observed.counter;
  const seen = isOld ? { ...observation, nativeState: '', nativeReason: '' } : observation;
  const { run: merged, newEnds } = mergeRun(run, seen);
  const settled = withTimes(run, merged, observation, observed);
  job.runs.set(run.id, settled);
  sayMoves(job, run, settled);
  if (settled.startedAtMs !== null) {
    job.startedAtMs = Math.min(job.startedAtMs ?? settled.startedAtMs, settled.startedAtMs);
    // Refusals count in a row: what starts breaks the row.
    job.refusals = 0;
  }
  const refusals = job.refusals - (isOfLastRefusal(job, run) ? 1 : 0);
  for (const end of newEnds) settleEnd(job, settled, end, refusals, observed.nowMs);
  return settled;
}

/** Offered before the pause that followed the last refusal: parts that one bad cluster refuses together are one refusal of the job. */
function isOfLastRefusal(job: LockedJob, run: LockedRun): boolean {
  return job.refusals > 0 && job.notBeforeMs !== null && run.offeredAtMs < job.notBeforeMs;
}

/** What follows from its tasks and runs: the state, and at the end of everything the last event. */
export function refreshJob(job: LockedJob, nowMs: number): void {
  const state = jobState(job, [...job.runs.values()]);
  if (state === job.state) return;
  job.state = state;
  if (state !== 'succeeded' && state !== 'failed' && state !== 'cancelled') return;
  job.endedAtMs ??= nowMs;
  const { reason, exitCode, signal, detail } = job;
  job.newEvents.push({ kind: 'ended', data: { state, reason, exitCode, signal, detail } });
}

/** Gives tasks their end for good; the job keeps the worst of all ends. A task that has an end keeps it. */
export function endTasks(
  job: LockedJob,
  tasks: RangeSet,
  end: Omit<TaskEnd, 'tasks' | 'outcome'> & { outcome: 'succeeded' | 'failed' | 'cancelled' },
): RangeSet {
  const fresh = difference(tasks, union(job.succeeded, job.failed, job.cancelled));
  if (fresh.length === 0) return EMPTY;
  const before = worstSoFar(job);
  job.queued = difference(job.queued, fresh);
  job[end.outcome] = union(job[end.outcome], fresh);
  const worst = jobEnd([...before, { ...end, tasks: formatRangeSet(fresh) }])!;
  Object.assign(job, { reason: worst.reason, exitCode: worst.exitCode, signal: worst.signal, detail: worst.detail });
  if (end.endedAtMs !== undefined) job.endedAtMs = Math.max(job.endedAtMs ?? 0, end.endedAtMs);
  return fresh;
}

function withTimes(before: LockedRun, run: LockedRun, observation: Observation, observed: Observed): LockedRun {
  const { epoch, counter, nowMs } = observed;
  const isNewer = epoch > run.observedEpoch || (epoch === run.observedEpoch && counter > run.observedCounter);
  const starts = run.ends.flatMap((end) => end.startedAtMs ?? []);
  const ends = run.ends.flatMap((end) => end.endedAtMs ?? []);
  const firstStart = run.started.length > 0 ? Math.min(...starts, nowMs) : null;
  const hasEnded = run.state === 'ended';
  // A run that was given up here may still live there: it is asked to stop until the agent itself has seen it end.
  const agentSawItEnd = difference(run.tasks, endedTasks(observation.ends)).length === 0;
  return {
    ...run,
    placedAtMs: run.placedAtMs ?? (observation.placed ? nowMs : null),
    startedAtMs: run.startedAtMs ?? firstStart,
    endedAtMs: run.endedAtMs ?? (hasEnded ? Math.max(...ends, 0) || nowMs : null),
    wanted: isAnswered(before, run, agentSawItEnd) ? null : run.wanted,
    ...(isNewer && { observedEpoch: epoch, observedCounter: counter }),
  };
}

/** A withdrawal is answered when nothing is left that could be withdrawn; what started stays. A cancel only by the end. */
function isAnswered(before: LockedRun, run: LockedRun, agentSawItEnd: boolean): boolean {
  if (run.state === 'ended') return before.state !== 'ended' || agentSawItEnd;
  return run.wanted === 'withdraw' && difference(run.tasks, union(run.started, run.endedTasks)).length === 0;
}

function sayMoves(job: LockedJob, before: LockedRun, after: LockedRun): void {
  const { id: runId, cluster, nativeId } = after;
  const say = (kind: 'placed' | 'running') =>
    job.newEvents.push({ kind, data: { runId, cluster, nativeId, tasks: formatRangeSet(after.tasks) } });
  if (before.placedAtMs === null && after.placedAtMs !== null) say('placed');
  if (before.started.length === 0 && after.started.length > 0) say('running');
}

function settleEnd(job: LockedJob, run: LockedRun, end: TaskEnd, refusals: number, nowMs: number): void {
  for (const { attempt, tasks } of byAttempt(job, run, tasksOf(end))) {
    const part = { ...end, tasks: formatRangeSet(tasks) };
    const next = afterEnd({
      ...{ end, attempt, refusals },
      ...{ rerunnable: job.rerunnable, retry: job.retry, cancelRequested: job.cancelRequested },
    });
    if (next.kind === 'requeue') requeue(job, run, part, next, { attempt, refusals, nowMs });
    else finish(job, run, part, next);
  }
}

/** Only tasks that are neither ended nor out in another run come back: after a restore of the database both may be true. */
function requeue(
  job: LockedJob,
  run: LockedRun,
  end: TaskEnd,
  next: Extract<AfterEnd, { kind: 'requeue' }>,
  { attempt, refusals, nowMs }: { attempt: number; refusals: number; nowMs: number },
): void {
  const elsewhere = [...job.runs.values()]
    .filter((other) => other.id !== run.id && other.state !== 'ended')
    .map((other) => difference(other.tasks, other.endedTasks));
  const taken = union(job.succeeded, job.failed, job.cancelled, job.queued, ...elsewhere);
  const fresh = difference(tasksOf(end), taken);
  if (end.outcome === 'refused') job.refusals = refusals + 1;
  if (next.usesAttempt) job.attempts = Math.max(job.attempts, attempt);
  if (next.avoidCluster) job.avoidClusters = [...new Set([...job.avoidClusters, run.cluster])];
  if (next.backoffSeconds > 0) job.notBeforeMs = Math.max(job.notBeforeMs ?? 0, nowMs + next.backoffSeconds * 1000);
  if (fresh.length === 0) return;
  job.queued = union(job.queued, fresh);
  const { backoffSeconds } = next;
  job.newEvents.push({
    kind: 'requeued',
    data: { ...endData(run, end), tasks: formatRangeSet(fresh), backoffSeconds },
  });
}

function finish(job: LockedJob, run: LockedRun, end: TaskEnd, next: Exclude<AfterEnd, { kind: 'requeue' }>): void {
  const final = finalEnd(job, end, next);
  const fresh = endTasks(job, tasksOf(end), final);
  if (fresh.length > 0)
    job.newEvents.push({ kind: 'tasks_ended', data: { ...endData(run, final), tasks: formatRangeSet(fresh) } });
}

function finalEnd(job: LockedJob, end: TaskEnd, next: Exclude<AfterEnd, { kind: 'requeue' }>) {
  if (next.kind === 'fail') return { ...end, outcome: 'failed' as const, reason: next.reason, detail: next.sentence };
  if (next.outcome !== 'cancelled') return { ...end, outcome: next.outcome };
  // The agent cannot know who asked; the job does.
  const asked =
    job.cancelRequested &&
    (end.reason === undefined || end.reason === 'cancelled_by_user' || end.outcome !== 'cancelled');
  const reason = asked ? (job.cancelReason ?? 'cancelled_by_user') : end.reason;
  return { ...end, outcome: next.outcome, ...(reason !== undefined && { reason }) };
}

function endData(run: LockedRun, end: Omit<TaskEnd, 'tasks'>): Record<string, unknown> {
  const { outcome, reason = null, exitCode = null, signal = null, detail = null } = end;
  return { runId: run.id, cluster: run.cluster, outcome, reason, exitCode, signal, detail };
}

/** The end that the job shows so far, as an end that can be compared again. */
function worstSoFar(job: LockedJob): TaskEnd[] {
  const outcome = (['failed', 'cancelled', 'succeeded'] as const).find((each) => job[each].length > 0);
  if (outcome === undefined) return [];
  const { reason, exitCode, signal, detail } = job;
  return [
    {
      outcome,
      tasks: formatRangeSet(job[outcome]),
      ...(reason !== null && { reason }),
      ...(exitCode !== null && { exitCode }),
      ...(signal !== null && { signal }),
      ...(detail !== null && { detail }),
    },
  ];
}
