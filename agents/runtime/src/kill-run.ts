import { contains, indexes } from '@switchyard/core/spec/range-set.ts';
import type { BackendState } from './backend-state.ts';
import { baseOf, tasksOf } from './follow-run.ts';
import type { NativeJob } from './native-queue.ts';
import { hasEnded, type TrackedRun } from './tracked-run.ts';

/** Between two kills of the same run: a payload that saves its work on TERM must not be hit while it does. */
const KILL_AGAIN_MS = 15_000;

/** Kills everything of a run: what started, and the copies that can never start. */
export async function killRun(state: BackendState, run: TrackedRun): Promise<void> {
  const holders = [...run.claims.values()].flatMap((claim) => (claim.by === 'wrapper' ? baseOf(claim.nativeId) : []));
  const ids = new Set([run.nativeId, ...holders].map(baseOf).filter((id) => id !== '' && id !== 'unknown'));
  await kill(state, run, [...ids]);
}

/** Kills the native jobs of tasks that we claimed while others of the same run go on. */
export async function killLeftovers(state: BackendState, run: TrackedRun): Promise<void> {
  if (run.nativeId === '') return;
  if (hasEnded(run)) return killRun(state, run);
  const never = [...indexes(run.ended)].filter((task) => !contains(run.started, task));
  await kill(
    state,
    run,
    never.map((task) => `${baseOf(run.nativeId)}_${task}`),
  );
}

/** After every listing: what is still there although it was cancelled or can never start, until it is gone. */
export function killAgain(state: BackendState, run: TrackedRun, lines: readonly NativeJob[]): void {
  if (state.closed || state.now() - run.killedAtMs < KILL_AGAIN_MS) return;
  const doomed = lines.filter((line) => line.phase !== 'ended' && isDoomed(run, line));
  if (doomed.length === 0) return;
  void kill(
    state,
    run,
    doomed.map((line) => line.nativeId),
  ).catch(() => {});
}

/** Cancelled, or every task it stands for has ended without a start: by withdrawal, cancellation or refusal. */
function isDoomed(run: TrackedRun, line: NativeJob): boolean {
  if (run.cancelWanted && !hasEnded(run)) return true;
  const tasks = [...indexes(tasksOf(run, line))];
  return tasks.every((task) => contains(run.ended, task) && !contains(run.started, task));
}

async function kill(state: BackendState, run: TrackedRun, nativeIds: readonly string[]): Promise<void> {
  if (nativeIds.length === 0) return;
  run.killedAtMs = state.now();
  await state.queue.kill(nativeIds.map((nativeId) => ({ nativeId, marker: run.order.marker })));
}
