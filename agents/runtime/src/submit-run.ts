import { indexes } from '@switchyard/core/spec/range-set.ts';
import { isArray } from '@switchyard/core/spec/task-set.ts';
import type { RunOrder, RunStatus } from './backend.ts';
import { type BackendState, changing, takeClaims } from './backend-state.ts';
import { followRun } from './follow-run.ts';
import type { SubmitAnswer } from './native-queue.ts';
import { readClaims } from './read-claims.ts';
import { saveNativeId, saveOffer } from './run-files.ts';
import { hasEnded, openTasks, type RunRecord, statusOf, type TrackedRun, trackRun } from './tracked-run.ts';
import { outputPaths, wrapperJob } from './wrapper-job.ts';

const FIRST_RESUBMIT_MS = 2000;
const LONGEST_RESUBMIT_MS = 60_000;

/**
 * Hands a run to the cluster. A directory that is fresh proves that it was never submitted from here, so nothing is looked up;
 * else the marker is searched in a listing first, and only its absence allows another submit (docs/decisions/0001).
 */
export async function submitRun(state: BackendState, order: RunOrder, observedBefore: boolean): Promise<RunStatus> {
  const known = state.runs.get(order.runId);
  if (known) return submitAgain(state, known, order, observedBefore);
  const gone = await state.forgotten.find(order.runId);
  if (gone) return gone.status;
  if (observedBefore && !(await state.store.has(order.runId))) return trackLost(state, order);
  const freshness = await state.store.make(order.runId);
  const run = trackRun(recordOf(state, order));
  // Before it counts as known: when this fails, the next Offer must write it, or a restart would not know the directory.
  await saveOffer(state.store.directory(order.runId), recordOf(state, order));
  state.runs.set(order.runId, run);
  if (freshness === 'fresh') await changing(state, run, () => submitNatively(state, run, order));
  else {
    await readClaims(state, run, [...indexes(run.tasks)]);
    if (!observedBefore) await lookUpThenSubmit(state, run, order);
  }
  return statusOf(run);
}

async function submitAgain(state: BackendState, run: TrackedRun, order: RunOrder, observedBefore: boolean) {
  await run.submitting;
  if (!observedBefore && !run.placed && !run.pending && !hasEnded(run)) await lookUpThenSubmit(state, run, order);
  return statusOf(run);
}

/**
 * The broker has heard of this run from here and this state directory has not: it is lost. Without a directory no copy can
 * start; whether one has started before, only the cluster may still know.
 */
function trackLost(state: BackendState, order: RunOrder): RunStatus {
  const run = trackRun(recordOf(state, order), false);
  state.runs.set(order.runId, run);
  return statusOf(run);
}

async function lookUpThenSubmit(state: BackendState, run: TrackedRun, order: RunOrder): Promise<void> {
  if (state.options.faults?.lookUp !== false) {
    const askedAtMs = state.now();
    const lines = (await state.queue.list()).filter((line) => line.marker === order.marker);
    const sight = { store: state.store, lines, askedAtMs, nowMs: state.now(), secondsPerSecond: 1, isListing: false };
    if (lines.length > 0) return changing(state, run, () => followRun(run, sight));
  }
  if (openTasks(run).length > 0) await changing(state, run, () => submitNatively(state, run, order));
}

/** One native submit; the answer that never comes is left to the following listings. */
export function submitNatively(state: BackendState, run: TrackedRun, order: RunOrder): Promise<void> {
  run.submitting = doSubmit(state, run, order).finally(() => {
    run.submitting = null;
  });
  return run.submitting;
}

async function doSubmit(state: BackendState, run: TrackedRun, order: RunOrder): Promise<void> {
  const { cluster, defaultWorkdir, faults } = state.options;
  const claimDirectory = state.store.directory(order.runId);
  const job = wrapperJob(order, { cluster, defaultWorkdir, claimDirectory });
  const copies = Array.from({ length: faults?.copies ?? 1 }, () => state.queue.submit(order, job));
  const answers = await Promise.all(copies);
  const best = answers.find((answer) => answer.kind === 'submitted') ?? answers[0]!;
  await noteAnswer(state, run, order, best);
}

async function noteAnswer(state: BackendState, run: TrackedRun, order: RunOrder, answer: SubmitAnswer): Promise<void> {
  state.lastChangeMs = state.now();
  run.restless = true;
  if (answer.kind === 'submitted') {
    run.pending = null;
    run.placed = true;
    run.nativeId ||= answer.nativeId;
    run.nativeSubmittedAtMs ||= state.now();
    await saveNativeId(state.store.directory(order.runId), run.nativeId, run.nativeSubmittedAtMs);
  } else if (answer.kind === 'refused') {
    run.pending = null;
    const end = { outcome: 'refused', reason: 'rejected', detail: answer.sentence } as const;
    await takeClaims(state, run, openTasks(run), 'withdrawn', end);
  } else {
    const attempts = (run.pending?.attempts ?? 0) + 1;
    const waitMs = Math.min(FIRST_RESUBMIT_MS * 2 ** (attempts - 1), LONGEST_RESUBMIT_MS);
    run.pending = { order, sinceMs: state.now(), notBeforeMs: state.now() + waitMs, attempts };
    run.nativeReason = answer.sentence;
  }
}

function recordOf(state: BackendState, order: RunOrder): RunRecord {
  const { spec: _, ...rest } = order;
  return { order: rest, isArray: isArray(order.spec), ...outputPaths(order, state.options) };
}
