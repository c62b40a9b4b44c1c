import type { RunOrder, RunStatus } from '@switchyard/agent-runtime/backend.ts';
import { grouped } from '@switchyard/agent-runtime/tracked-run.ts';
import type { End } from '@switchyard/core/lifecycle/evidence.ts';
import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import {
  contains,
  difference,
  EMPTY,
  equal,
  formatRangeSet,
  indexes,
  intersection,
  type RangeSet,
  rangeSet,
  union,
} from '@switchyard/core/spec/range-set.ts';
import { tasksOfIndexes } from '../manifest/task-index.ts';
import type { Asked, JobFacts } from './job-facts.ts';
import type { PodFacts } from './pod-facts.ts';

/** What stands on a run's Job, so that an agent that starts again knows the run. */
export type RunRecord = {
  readonly order: Omit<RunOrder, 'spec'>;
  readonly isArray: boolean;
  /** How many pods must be up together; 0: it is no gang. */
  readonly gang: number;
};

/** Everything the agent knows of one run, rebuilt from the cluster's objects after a restart. */
export type RunFacts = RunRecord & {
  readonly namespace: string;
  readonly tasks: RangeSet;
  /** Tasks by completion index, made when an array is first asked for one. */
  taskList: readonly number[] | null;
  /** Of the Job that is this run; empty until it was seen. Another Job of the same name is not ours. */
  jobUid: string;
  /** Null: never seen, or no longer in the API. */
  job: JobFacts | null;
  jobGone: boolean;
  /** By UID; those that are gone stay until the run is forgotten, for their logs and ends. */
  readonly pods: Map<string, PodFacts>;
  /** The pods of a finished or vanished Job were asked for once more, and these are all. */
  podsConfirmed: boolean;
  /** Why the Job's pods are not made: quota, admission. */
  createFailure: { readonly message: string; readonly sinceMs: number } | null;
  /** What Kueue says of it. */
  queue: { readonly state: string; readonly reason: string } | null;
  eviction: string | null;
  /** None of its payloads runs any more after it. */
  evictionConfirmed: boolean;
  /** Which pods of a gang were not up when it was given back. */
  backReason: string;
  /** The number of the job of several nodes that goes before this one; 0: none. */
  behind: number;
  /** A gang that runs has lost a node for good: the rest of it is to be ended. */
  lostPart: boolean;
  cancelWanted: boolean;
  /** This agent has begun to take gates away: what is known of a gate may be older than that. */
  letGo: boolean;
  /** This process made its Job: whatever was let go, it knows of. */
  madeHere: boolean;
  asked: Asked | null;
  placed: boolean;
  submittedAtMs: number;
  nativeState: string;
  nativeReason: string;
  started: RangeSet;
  startedAtMs: number;
  ended: RangeSet;
  ends: readonly TaskEnd[];
};

export function runFacts(record: RunRecord, namespace: string): RunFacts {
  return {
    ...record,
    namespace,
    tasks: rangeSet(record.order.tasks),
    taskList: null,
    jobUid: '',
    job: null,
    jobGone: false,
    pods: new Map(),
    podsConfirmed: false,
    createFailure: null,
    queue: null,
    eviction: null,
    evictionConfirmed: false,
    backReason: '',
    behind: 0,
    lostPart: false,
    cancelWanted: false,
    letGo: false,
    madeHere: false,
    asked: null,
    placed: false,
    submittedAtMs: 0,
    nativeState: '',
    nativeReason: '',
    started: EMPTY,
    startedAtMs: 0,
    ended: EMPTY,
    ends: [],
  };
}

/** The run as the broker hears of it. Output is the log of its pods, not files. */
export function statusOf(run: RunFacts): RunStatus {
  const { runId, placementNumber, pool, marker } = run.order;
  return {
    runId,
    placementNumber,
    placed: run.placed,
    nativeId: run.placed ? `${run.namespace}/${marker}` : '',
    nativeSubmittedAtMs: run.submittedAtMs,
    nativeState: run.nativeState,
    nativeReason: run.nativeReason,
    nativePool: pool,
    started: formatRangeSet(run.started),
    startedAtMs: run.startedAtMs,
    ends: run.ends,
    stdoutPath: '',
    stderrPath: '',
  };
}

/** The task of a completion index; null for an index that the run does not have. All pods of a gang are one task. */
export function taskOfIndex(run: RunFacts, index: number): number | null {
  if (!run.isArray) return run.tasks[0]?.[0] ?? null;
  run.taskList ??= [...indexes(run.tasks)];
  return run.taskList[index] ?? null;
}

/** The tasks that a set of completion indexes stands for; in a Job without indexes they stand for all of it. */
export function tasksOf(run: RunFacts, set: RangeSet): RangeSet {
  if (!run.isArray) return set.length > 0 ? run.tasks : EMPTY;
  return tasksOfIndexes(run.tasks, set);
}

export function openTasks(run: RunFacts): RangeSet {
  return difference(run.tasks, run.ended);
}

export function hasEnded(run: RunFacts): boolean {
  return equal(run.ended, run.tasks);
}

export function noteStart(run: RunFacts, task: number, startedAtMs: number): void {
  if (startedAtMs > 1) run.startedAtMs = Math.min(run.startedAtMs || startedAtMs, startedAtMs);
  if (!contains(run.started, task)) run.started = union(run.started, [[task, task]]);
}

/** The end of these tasks; the first one that is known stays. */
export function noteEnd(run: RunFacts, tasks: RangeSet, end: End): void {
  const fresh = difference(intersection(tasks, run.tasks), run.ended);
  if (fresh.length === 0) return;
  const { detail, ...rest } = end;
  const bounded: End = detail === undefined ? rest : { ...rest, detail: shorten(detail) };
  run.ended = union(run.ended, fresh);
  run.ends = run.isArray
    ? grouped(run.ends, fresh, bounded)
    : [...run.ends, { ...bounded, tasks: formatRangeSet(fresh) }];
}

const LONGEST_SENTENCE = 1000;

/** A sentence from the cluster, of a size that fits a message. */
export function shorten(sentence: string): string {
  const line = sentence.replaceAll(/\s+/g, ' ').trim();
  return line.length > LONGEST_SENTENCE ? `${line.slice(0, LONGEST_SENTENCE - 1)}…` : line;
}
