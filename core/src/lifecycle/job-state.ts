import { difference, type RangeSet, union } from '../spec/range-set.ts';
import { tasksOf } from './ended-tasks.ts';
import { signalNumber } from './signal-name.ts';
import type { JobState, Outcome, Reason, RunState, TaskEnd } from './vocabulary.ts';

export type JobFacts = {
  readonly tasks: RangeSet;
  readonly queued: RangeSet;
  readonly succeeded: RangeSet;
  readonly failed: RangeSet;
  readonly cancelled: RangeSet;
  readonly held: boolean;
  readonly cancelRequested: boolean;
};

export type RunFacts = {
  readonly state: RunState;
  readonly tasks: RangeSet;
  readonly started: RangeSet;
  readonly endedTasks: RangeSet;
};

/**
 * The state of a job, from its tasks and its runs; total. Until every task has its end, the furthest run decides:
 * running, else placed, else placing, else held, else queued. Then one failed task makes it failed, else one cancelled
 * task makes it cancelled, else it succeeded.
 */
export function jobState(job: JobFacts, runs: readonly RunFacts[]): JobState {
  const ended = union(job.succeeded, job.failed, job.cancelled);
  if (difference(job.tasks, ended).length === 0) return endState(job);
  const states = new Set(runs.map((run) => run.state));
  if (states.has('running')) return 'running';
  if (states.has('placed')) return 'placed';
  if (states.has('offered')) return 'placing';
  return job.held && !job.cancelRequested ? 'held' : 'queued';
}

/** What a job says of its end; null where there is nothing to say. */
export type JobEnd = {
  readonly outcome: Outcome;
  readonly reason: Reason | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly detail: string | null;
};

/** Worst first; what never started says the least, for it was made again. */
const WORST_FIRST: readonly Outcome[] = ['failed', 'cancelled', 'succeeded', 'refused', 'withdrawn'];

/**
 * The worst of many ends speaks for all, for a run or for a job: by outcome, then by the highest exit code as
 * `sbatch --wait` takes it for arrays (a signal counts 128 + n), then by the lowest task. Null without ends.
 */
export function jobEnd(ends: readonly TaskEnd[]): JobEnd | null {
  const worst = [...ends].sort(
    (left, right) =>
      WORST_FIRST.indexOf(left.outcome) - WORST_FIRST.indexOf(right.outcome) ||
      shellCode(right) - shellCode(left) ||
      firstTask(left) - firstTask(right),
  )[0];
  if (worst === undefined) return null;
  const { outcome, reason = null, exitCode = null, signal = null, detail = null } = worst;
  return { outcome, reason, exitCode, signal, detail };
}

function endState(job: JobFacts): JobState {
  if (job.failed.length > 0) return 'failed';
  return job.cancelled.length > 0 ? 'cancelled' : 'succeeded';
}

function shellCode(end: TaskEnd): number {
  if (end.signal !== undefined) return 128 + (signalNumber(end.signal) ?? 0);
  return end.exitCode ?? 0;
}

function firstTask(end: TaskEnd): number {
  return tasksOf(end)[0]?.[0] ?? Number.MAX_SAFE_INTEGER;
}
