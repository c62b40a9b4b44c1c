import { endedTasks } from '@switchyard/core/lifecycle/ended-tasks.ts';
import { parseMarker } from '@switchyard/core/spec/marker.ts';
import { outputPath } from '@switchyard/core/spec/output-path.ts';
import { contains, difference, rangeSet } from '@switchyard/core/spec/range-set.ts';
import type { Backend, KnownRun, LogRequest, RunStatus } from './backend.ts';
import { type BackendState, type ClaimBackendOptions, changing, takeClaims } from './backend-state.ts';
import { openClaimStore } from './claim-store.ts';
import { openForgottenLog } from './forgotten-log.ts';
import { killLeftovers, killRun } from './kill-run.ts';
import { createLimiter } from './limiter.ts';
import { createListingTrust } from './listing-trust.ts';
import { observeRuns } from './observe-runs.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { nextPollMs } from './poll-pace.ts';
import { readClaims } from './read-claims.ts';
import { readOutput } from './read-output.ts';
import { listRunIds, loadRun } from './run-files.ts';
import { seldom } from './seldom.ts';
import { stateBirthMs } from './state-birth.ts';
import { submitRun } from './submit-run.ts';
import { hasEnded, openTasks, statusOf, type TrackedRun } from './tracked-run.ts';
import { withdrawUnknown } from './withdraw-unknown.ts';

const GRACE_MS = 90_000;
/** How many times the grace a mass disappearance must last before it is believed. */
const BELIEVED_AFTER_GRACES = 10;
/** Native commands that run at once. */
const CONCURRENT_SUBMITS = 8;
/** A shared file system answers several at a time. */
const CONCURRENT_LOADS = 16;
const ONE_OUTPUT = 'this cluster writes what all nodes of a job say into one output: read it without a rank';

/**
 * A cluster with batch scripts and a shared file system as a Backend: exactly once by claims (design section 5). Everything
 * it knows is rebuilt here from the state directory; the first `observe` adds what the cluster shows.
 */
export async function claimBackend(options: ClaimBackendOptions): Promise<Backend> {
  const state = await openState(options);
  await loadRuns(state);
  return {
    kind: options.queue.kind,
    fingerprint: () => options.queue.fingerprint(),
    capacity: () => options.queue.capacity(),
    concurrentSubmits: CONCURRENT_SUBMITS,
    submit: (order, { observedBefore }) =>
      oneAtATime(state.submits, order.runId, () => submitRun(state, order, observedBefore)),
    observe: () => observeRuns(state),
    withdraw: (runId) => withdraw(state, runId),
    cancel: (runId) => cancel(state, runId),
    forget: (runIds) => forget(state, runIds),
    cancelStray: (stray) => cancelStray(state, stray),
    readLog: (request) => readLog(state, request),
    inventory: (forgottenAbove) => inventory(state, forgottenAbove),
    nextObserveMs: () => pace(state),
    onNews: () => {},
    logTails: async function* () {},
    close: async () => {
      state.closed = true;
      await Promise.allSettled(state.submits.values());
      await options.queue.close();
    },
  };
}

async function openState(options: ClaimBackendOptions): Promise<BackendState> {
  const now = options.now ?? Date.now;
  return {
    options,
    queue: options.queue,
    store: openClaimStore(options.stateDir),
    forgotten: await openForgottenLog(options.stateDir, now),
    trust: createListingTrust((options.graceMs ?? GRACE_MS) * BELIEVED_AFTER_GRACES, now),
    runs: new Map(),
    changed: new Set(),
    submits: new Map(),
    birthMs: await stateBirthMs(options.stateDir),
    warn: seldom(options.warn ?? (() => {}), now),
    doomed: new Map(),
    now,
    lastChangeMs: now(),
    listingMs: 0,
    closed: false,
  };
}

async function loadRuns(state: BackendState): Promise<void> {
  await state.store.sweep();
  const limit = createLimiter(CONCURRENT_LOADS);
  const load = async (runId: string) => {
    const found = await loadRun(state.store.directory(runId));
    if (!found) return;
    await readClaims(state, found.run, found.claimed);
    found.run.alive = wasListed(state, found.run);
    state.runs.set(runId, found.run);
    state.changed.add(runId);
  };
  await Promise.all((await listRunIds(state.options.stateDir)).map((runId) => limit(() => load(runId))));
}

/**
 * A queue that shows most jobs no more is no more to be trusted after a restart than before it. But a job cannot vanish from a
 * queue that never showed it: a controller that is killed forgets what it accepted last. What was out of sight for the grace
 * would have been judged by now; so what is open and older than that has started, or was listed.
 */
function wasListed({ options, now }: BackendState, run: TrackedRun): boolean {
  const judgedByNowMs = now() - 2 * (options.graceMs ?? GRACE_MS);
  return run.claims.size > 0 || (run.nativeId !== '' && run.nativeSubmittedAtMs < judgedByNowMs);
}

async function withdraw(state: BackendState, runId: string): Promise<RunStatus> {
  const run = state.runs.get(runId);
  if (!run) return neverHere(state, runId, withdraw);
  await changing(state, run, () => claimUnstarted(state, run, 'withdrawn'));
  // At leisure: nothing of it can start any more, whether this works or not.
  killLeftovers(state, run);
  return statusOf(run);
}

async function cancel(state: BackendState, runId: string): Promise<RunStatus> {
  const run = state.runs.get(runId);
  if (!run) return neverHere(state, runId, cancel);
  const isFirst = !run.cancelWanted;
  run.cancelWanted = true;
  run.restless = true;
  await changing(state, run, () => claimUnstarted(state, run, 'cancelled'));
  if (isFirst) {
    killRun(state, run);
    state.lastChangeMs = state.now();
  }
  return statusOf(run);
}

/** An Offer of the same run may be at its very beginning: first the one, then the other. */
async function neverHere(state: BackendState, runId: string, again: typeof withdraw): Promise<RunStatus> {
  const submitting = state.submits.get(runId);
  if (!submitting) return oneAtATime(state.submits, runId, () => withdrawUnknown(state, runId));
  await submitting.catch(() => {});
  return again(state, runId);
}

function claimUnstarted(state: BackendState, run: TrackedRun, purpose: 'withdrawn' | 'cancelled'): Promise<void> {
  const end =
    purpose === 'withdrawn'
      ? ({ outcome: 'withdrawn' } as const)
      : ({ outcome: 'cancelled', reason: 'cancelled_by_user' } as const);
  return takeClaims(state, run, difference(openTasks(run), run.started), purpose, end);
}

async function forget(state: BackendState, runIds: readonly string[]): Promise<string[]> {
  const known = runIds.flatMap((runId) => state.runs.get(runId) ?? []);
  const ended = known.filter(hasEnded);
  await state.forgotten.append(ended.map((run) => knownRun(run, true)));
  for (const run of ended) {
    if (run.hasDirectory) await state.store.remove(run.order.runId);
    state.runs.delete(run.order.runId);
    state.changed.delete(run.order.runId);
  }
  const kept = new Set(known.filter((run) => !hasEnded(run)).map((run) => run.order.runId));
  return runIds.filter((runId) => !kept.has(runId));
}

/** Only what cannot start, or what nobody knows: the native job that holds a claim is a run, not a stray. */
async function cancelStray(state: BackendState, stray: { nativeId: string; runId: string }): Promise<void> {
  const run = state.runs.get(stray.runId);
  const holdsClaim = (id: string) =>
    [...(run?.claims.values() ?? [])].some((claim) => claim.by === 'wrapper' && claim.nativeId === id);
  if (holdsClaim(stray.nativeId)) return;
  const line = (await state.queue.list()).find(({ nativeId }) => nativeId === stray.nativeId);
  if (!line || line.phase === 'ended' || parseMarker(line.marker)?.runId !== stray.runId) return;
  await state.queue.kill([{ nativeId: line.nativeId, marker: line.marker }]);
}

async function readLog(state: BackendState, request: LogRequest) {
  const { runId, task, rank, stream, ...piece } = request;
  if (rank > 0) return { data: new Uint8Array(), end: true, problem: ONE_OUTPUT };
  const run = state.runs.get(runId);
  const status = run ? statusOf(run) : (await state.forgotten.find(runId))?.status;
  if (!status) return { data: new Uint8Array(), end: true, problem: 'this cluster knows no such run' };
  const template = stream === 'stdout' ? status.stdoutPath : status.stderrPath;
  const path = outputPath(template, task, await hostOf(state, run, status, task));
  const ended = () => (run ? contains(run.ended, task) : contains(endedTasks(status.ends), task));
  return readOutput({ ...piece, path, hasEnded: ended });
}

/** `%N` in a path is the node that started the task. */
async function hostOf(state: BackendState, run: TrackedRun | undefined, status: RunStatus, task: number) {
  const end = status.ends.find(({ tasks }) => contains(rangeSet(tasks), task));
  if (end?.host) return end.host;
  const claim = run?.hasDirectory ? await state.store.read(run.order.runId, task) : null;
  return claim?.record.by === 'wrapper' && claim.record.host !== '' ? claim.record.host : undefined;
}

async function inventory(state: BackendState, forgottenAbove: number): Promise<KnownRun[]> {
  const known = [...state.runs.values()].map((run) => knownRun(run, false));
  const forgotten = await state.forgotten.above(forgottenAbove);
  return [...known, ...forgotten.filter(({ order }) => order.jobId !== '' && !state.runs.has(order.runId))];
}

function knownRun(run: TrackedRun, forgotten: boolean): KnownRun {
  return { order: run.order, status: statusOf(run), forgotten };
}

function pace(state: BackendState): number {
  const open = [...state.runs.values()].filter((run) => !hasEnded(run));
  return nextPollMs({
    listingMs: state.listingMs,
    quietMs: state.now() - state.lastChangeMs,
    restless: open.some((run) => run.restless || run.pending !== null),
    open: open.length,
  });
}
