import { contains, difference, indexes } from '@switchyard/core/spec/range-set.ts';
import type { BackendState } from './backend-state.ts';
import { baseOf, tasksOf } from './follow-run.ts';
import type { NativeJob } from './native-queue.ts';
import { hasEnded, type TrackedRun } from './tracked-run.ts';

/** Between two kills of the same run: a payload that saves its work on TERM must not be hit while it does. */
const KILL_AGAIN_MS = 15_000;

/** Kills that come together are one call, for each call costs the cluster a listing to check the markers first (I8). */
const TOGETHER_MS = 20;

/** Kills everything of a run, soon: what started, and the copies that can never start; again until the end is seen. */
export function killRun(state: BackendState, run: TrackedRun): void {
  const holders = [...run.claims.values()].flatMap((claim) => (claim.by === 'wrapper' ? baseOf(claim.nativeId) : []));
  const ids = new Set([run.nativeId, ...holders].map(baseOf).filter((id) => id !== '' && id !== 'unknown'));
  kill(state, run, [...ids]);
}

/** Kills the native jobs of tasks that we claimed while others of the same run go on. */
export function killLeftovers(state: BackendState, run: TrackedRun): void {
  const never = [...indexes(run.ended)].filter((task) => !contains(run.started, task));
  if (run.nativeId === '') return;
  if (hasEnded(run)) killRun(state, run);
  else {
    const base = baseOf(run.nativeId);
    kill(
      state,
      run,
      never.map((task) => `${base}_${task}`),
    );
  }
}

/** After every listing: what is still there although it was cancelled or can never start, until it is gone. */
export function killAgain(state: BackendState, run: TrackedRun, lines: readonly NativeJob[]): void {
  if (state.closed || state.now() - run.killedAtMs < KILL_AGAIN_MS) return;
  const doomed = lines.filter((line) => line.phase !== 'ended' && isDoomed(run, line));
  kill(
    state,
    run,
    doomed.map((line) => line.nativeId),
  );
}

/** Cancelled, or every task it stands for has ended without a start: by withdrawal, cancellation or refusal. */
function isDoomed(run: TrackedRun, line: NativeJob): boolean {
  if (run.cancelWanted && !hasEnded(run)) return true;
  const tasks = tasksOf(run, line);
  // A line whose tasks cannot be read may stand for one that runs.
  return tasks.length > 0 && difference(tasks, difference(run.ended, run.started)).length === 0;
}

function kill(state: BackendState, run: TrackedRun, nativeIds: readonly string[]): void {
  if (nativeIds.length === 0) return;
  run.killedAtMs = state.now();
  if (state.doomed.size === 0) setTimeout(() => void killDoomed(state), TOGETHER_MS);
  for (const nativeId of nativeIds) state.doomed.set(nativeId, run);
}

async function killDoomed(state: BackendState): Promise<void> {
  const doomed = [...state.doomed];
  state.doomed.clear();
  if (state.closed) return;
  try {
    await state.queue.kill(doomed.map(([nativeId, run]) => ({ nativeId, marker: run.order.marker })));
  } catch (error) {
    // The next listing shows what is still there.
    for (const [, run] of doomed) run.killedAtMs = 0;
    state.warn(`jobs could not be killed: ${(error as Error).message}`);
  }
}
