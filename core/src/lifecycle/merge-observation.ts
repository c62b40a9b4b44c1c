import { difference, formatRangeSet, intersection, parseRangeSet, type RangeSet, union } from '../spec/range-set.ts';
import { tasksOf } from './ended-tasks.ts';
import { jobEnd } from './job-state.ts';
import { runStateOf } from './run-transitions.ts';
import { OUTCOMES, type Outcome, type Reason, RUN_STATES, type RunState, type TaskEnd } from './vocabulary.ts';

/** A run as it is stored. */
export type MergedRun = {
  readonly state: RunState;
  readonly tasks: RangeSet;
  readonly started: RangeSet;
  readonly endedTasks: RangeSet;
  readonly ends: readonly TaskEnd[];
  /** Of the whole run once it has ended, else null. */
  readonly outcome: Outcome | null;
  readonly reason: Reason | null;
  readonly nativeId: string | null;
  readonly nativeSubmittedAtMs: number | null;
  readonly nativeState: string | null;
  readonly nativeReason: string | null;
  readonly startedAtMs: number | null;
  readonly stdoutPath: string | null;
  readonly stderrPath: string | null;
};

/** What an agent says of a run; structurally RunStatus of agents/runtime and RunObservation on the wire: '' and 0 are absent. */
export type Observation = {
  readonly placed: boolean;
  readonly started: string;
  readonly startedAtMs: number;
  readonly ends: readonly TaskEnd[];
  readonly nativeId: string;
  readonly nativeSubmittedAtMs: number;
  readonly nativeState: string;
  readonly nativeReason: string;
  readonly stdoutPath: string;
  readonly stderrPath: string;
};

export type Merge = {
  readonly run: MergedRun;
  /** Ends of tasks that had none before; their ranges are disjoint from all earlier ones. */
  readonly newEnds: readonly TaskEnd[];
  readonly changed: boolean;
};

/**
 * What is known of a run after one more observation, whatever its age: starts are a union, the first end of a task is final,
 * the state never moves back, and nothing outside the run's own tasks counts.
 */
export function mergeRun<Run extends MergedRun>(run: Run, observation: Observation): Merge & { readonly run: Run } {
  const started = union(run.started, difference(intersection(readable(observation.started), run.tasks), dead(run)));
  const newEnds = unseenEnds(run, started, observation.ends);
  const ends = [...run.ends, ...newEnds];
  const endedTasks = union(run.endedTasks, ...newEnds.map(tasksOf));
  const observed = runStateOf({ placed: observation.placed, started, ends, tasks: run.tasks });
  const state = furthest(run.state, observed);
  const whole = state === 'ended' ? jobEnd(ends) : null;
  const merged = {
    ...{
      state,
      started,
      ends,
      endedTasks,
      outcome: whole?.outcome ?? run.outcome,
      reason: whole?.reason ?? run.reason,
    },
    nativeId: observation.nativeId || run.nativeId,
    nativeSubmittedAtMs: observation.nativeSubmittedAtMs || run.nativeSubmittedAtMs,
    nativeState: observation.nativeState || run.nativeState,
    nativeReason: observation.nativeReason || (observation.nativeState ? null : run.nativeReason),
    startedAtMs: run.startedAtMs ?? (observation.startedAtMs || null),
    stdoutPath: observation.stdoutPath || run.stdoutPath,
    stderrPath: observation.stderrPath || run.stderrPath,
  };
  const changed = Object.entries(merged).some(([key, value]) => !same(run[key as keyof Run], value));
  return { run: changed ? { ...run, ...merged } : run, newEnds, changed };
}

/** An end is final: a task that ended as one that never started starts no more, whoever says so later. */
function dead({ ends }: MergedRun): RangeSet {
  return union(...ends.filter(({ outcome }) => outcome === 'withdrawn' || outcome === 'refused').map(tasksOf));
}

function unseenEnds(run: MergedRun, started: RangeSet, observed: readonly TaskEnd[]): TaskEnd[] {
  const ends: TaskEnd[] = [];
  let seen = run.endedTasks;
  for (const end of observed) {
    if (!OUTCOMES.includes(end.outcome)) continue;
    const fresh = difference(intersection(tasksOf(end), run.tasks), seen);
    seen = union(seen, fresh);
    ends.push(...contradiction(end, fresh, started));
  }
  return ends;
}

/** A task that is known to have started cannot be withdrawn or refused: running it again could run it twice (I2). */
function contradiction(end: TaskEnd, fresh: RangeSet, started: RangeSet): TaskEnd[] {
  const neverStarted = end.outcome === 'withdrawn' || end.outcome === 'refused';
  const wrong = neverStarted ? intersection(fresh, started) : [];
  const right = difference(fresh, wrong);
  const detail = `reported as ${end.outcome} after it had started`;
  return [
    ...(right.length > 0 ? [{ ...end, tasks: formatRangeSet(right) }] : []),
    ...(wrong.length > 0
      ? [{ outcome: 'failed' as const, reason: 'unknown_end' as const, detail, tasks: formatRangeSet(wrong) }]
      : []),
  ];
}

function furthest(left: RunState, right: RunState): RunState {
  return RUN_STATES.indexOf(left) >= RUN_STATES.indexOf(right) ? left : right;
}

function readable(text: string): RangeSet {
  const parsed = parseRangeSet(text);
  return parsed.ok ? parsed.set : [];
}

/** Values here are texts, numbers, null, or lists of them. */
function same(left: unknown, right: unknown): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}
