import { parseMarker } from '@switchyard/core/spec/marker.ts';
import { contains, difference, indexes, takeFirst } from '@switchyard/core/spec/range-set.ts';
import type { RunStatus, StrayJob } from './backend.ts';
import { type BackendState, changing } from './backend-state.ts';
import { baseOf, followRun, isTimeToLookAgain, tasksOf } from './follow-run.ts';
import { killAgain } from './kill-run.ts';
import type { NativeJob } from './native-queue.ts';
import { submitNatively } from './submit-run.ts';
import { hasEnded, openTasks, statusOf, type TrackedRun } from './tracked-run.ts';

const ACCOUNTING_AGAIN_MS = 5000;
const ACCOUNTING_IDS = 1000;
/** The agent's own patience is for 90 seconds; tests have less time. */
const GRACE_MS = 90_000;

/** One listing, however many runs: only those are looked at of which it says something new, or which are half way. */
export async function observeRuns(state: BackendState): Promise<{ changed: RunStatus[]; strays: StrayJob[] }> {
  const askedAtMs = state.now();
  const lines = await state.queue.list();
  const nowMs = state.now();
  state.listingMs = nowMs - askedAtMs;
  const byMarker = groupByMarker(lines);
  await checkTrust(state, byMarker);
  const look = (run: TrackedRun, about: readonly NativeJob[], isListing: boolean) =>
    changing(state, run, () =>
      followRun(run, {
        store: state.store,
        lines: about,
        askedAtMs,
        nowMs,
        secondsPerSecond: GRACE_MS / (state.options.graceMs ?? GRACE_MS),
        isListing,
      }),
    );

  const due = [...state.runs.values()].filter((run) => isDue(run, byMarker.get(run.order.marker) ?? [], nowMs));
  const lookAt = (run: TrackedRun, isListing: boolean) =>
    look(run, withStored(run, byMarker.get(run.order.marker) ?? []), isListing);
  await eachAlone(state, due, (run) => lookAt(run, true));
  await eachAlone(state, await askAccounting(state, due), (run) => lookAt(run, false));
  for (const run of state.runs.values()) {
    resubmit(state, run, byMarker.has(run.order.marker), askedAtMs);
    killAgain(state, run, byMarker.get(run.order.marker) ?? []);
  }
  const changed = [...state.changed].flatMap((runId) => state.runs.get(runId) ?? []).map(statusOf);
  state.changed.clear();
  return { changed, strays: straysOf(state, lines, byMarker) };
}

/** One run whose files cannot be read must not hide the others; when none can be read, nothing can be said. */
async function eachAlone(
  state: BackendState,
  runs: readonly TrackedRun[],
  look: (run: TrackedRun) => Promise<void>,
): Promise<void> {
  const failures = await Promise.all(
    runs.map((run) =>
      look(run).then(
        () => null,
        (error: Error) => {
          run.restless = true;
          return { run, error };
        },
      ),
    ),
  );
  const failed = failures.filter((failure) => failure !== null);
  if (failed.length > 0 && failed.length === runs.length) throw failed[0]!.error;
  for (const { run, error } of failed) state.warn(`run ${run.order.runId} cannot be followed: ${error.message}`);
}

function groupByMarker(lines: readonly NativeJob[]): Map<string, NativeJob[]> {
  const groups = new Map<string, NativeJob[]>();
  for (const line of lines) {
    const group = groups.get(line.marker);
    if (group) group.push(line);
    else groups.set(line.marker, [line]);
  }
  return groups;
}

/** Accounting's lines stand before the listing's, but never against one that is alive. */
function withStored(run: TrackedRun, listed: readonly NativeJob[]): NativeJob[] {
  const alive = new Set(listed.filter(({ phase }) => phase !== 'ended').map(({ nativeId }) => nativeId));
  return [...run.stored.filter(({ nativeId }) => !alive.has(nativeId)), ...listed];
}

function isDue(run: TrackedRun, lines: readonly NativeJob[], nowMs: number): boolean {
  if (run.submitting) return false;
  const seen = lines
    .map((line) =>
      [line.nativeId, line.tasks, line.phase, line.end, line.rawState, line.rawReason, line.restartCount].join(),
    )
    .join('\n');
  const same = seen === run.seen;
  run.seen = seen;
  if (hasEnded(run)) {
    run.alive = lines.some((line) => line.phase !== 'ended');
    run.stored = [];
    return false;
  }
  return !same || run.restless || lines.length === 0 || isTimeToLookAgain(run, nowMs);
}

/** Before anything is concluded: most of many jobs cannot vanish at once without one of them having ended. */
async function checkTrust(state: BackendState, byMarker: ReadonlyMap<string, unknown>): Promise<void> {
  const before = [...state.runs.values()].filter((run) => run.alive && !hasEnded(run));
  const missing = before.filter((run) => !byMarker.has(run.order.marker));
  const unexplained = missing.length * 2 > before.length ? await withoutEnd(state, missing) : 0;
  state.trust.check({ aliveBefore: before.length, vanished: unexplained });
}

async function withoutEnd(state: BackendState, runs: readonly TrackedRun[]): Promise<number> {
  const ends = await Promise.all(
    runs.map(async (run) => {
      const first = takeFirst(openTasks(run), 1)[0]![0];
      const claim = run.hasDirectory ? await state.store.read(run.order.runId, first) : null;
      return claim !== null && (claim.record.by !== 'wrapper' || claim.record.end !== null);
    }),
  );
  return ends.filter((ended) => !ended).length;
}

/**
 * What left the listing, or ended in it without a record, may be known better to accounting; one question for all of them. The
 * runs of which it said something.
 */
async function askAccounting(state: BackendState, due: readonly TrackedRun[]): Promise<TrackedRun[]> {
  const nowMs = state.now();
  const asked = due.filter((run) => run.limbo.size > 0 && nowMs - run.askedAccountingAtMs >= ACCOUNTING_AGAIN_MS);
  const ids = asked.flatMap(limboIds).slice(0, ACCOUNTING_IDS);
  for (const run of asked) run.askedAccountingAtMs = nowMs;
  // Accounting that is away must not hold up everything else: what waits for it waits 90 seconds.
  const said = ids.length === 0 ? [] : await state.queue.accounting(ids).catch(() => null);
  if (said === null) return [];
  return asked.filter((run) => {
    const own = new Set(limboIds(run).map(baseOf));
    run.stored = said.filter((line) => line.phase === 'ended' && own.has(baseOf(line.nativeId)));
    run.owedAccounting = false;
    return run.stored.length > 0;
  });
}

function limboIds(run: TrackedRun): string[] {
  return [...run.limbo.keys()].flatMap((task) => {
    const claim = run.claims.get(task);
    const holder = claim?.by === 'wrapper' && claim.nativeId !== '' ? claim.nativeId : run.nativeId;
    if (holder === '') return [];
    return [run.isArray ? `${baseOf(holder)}_${task}` : holder];
  });
}

/** An unknown answer is resolved by a listing that was asked for after it and provably worked. */
function resubmit(state: BackendState, run: TrackedRun, isListed: boolean, askedAtMs: number): void {
  const { pending } = run;
  if (!pending || run.submitting) return;
  if (isListed || hasEnded(run)) {
    run.pending = null;
    run.restless = true;
  } else if (askedAtMs > pending.sinceMs && state.now() >= pending.notBeforeMs && !state.closed) {
    void changing(state, run, () => submitNatively(state, run, pending.order)).catch(() => {});
  }
}

/** Native jobs of ours that can never start anything again, and those whose run nobody here knows. */
function straysOf(
  state: BackendState,
  lines: readonly NativeJob[],
  byMarker: ReadonlyMap<string, unknown>,
): StrayJob[] {
  const byOwner = new Map([...state.runs.values()].map((run) => [run.order.marker, run]));
  const unknown = new Set([...byMarker.keys()].filter((marker) => !byOwner.has(marker)));
  return lines.flatMap((line) => {
    if (line.phase === 'ended') return [];
    const run = byOwner.get(line.marker);
    const runId = run?.order.runId ?? (unknown.has(line.marker) ? parseMarker(line.marker)?.runId : undefined);
    if (runId === undefined || (run && !cannotStart(run, line))) return [];
    const { nativeId, rawState: nativeState, submittedAtMs: nativeSubmittedAtMs } = line;
    return [{ nativeId, runId, nativeState, nativeSubmittedAtMs }];
  });
}

/** Every task of the line is claimed by another start. The copies of what we claimed ourselves are killed without asking. */
function cannotStart(run: TrackedRun, line: NativeJob): boolean {
  if (baseOf(line.nativeId) === baseOf(run.nativeId)) return false;
  const open = difference(tasksOf(run, line), run.ended);
  for (const task of indexes(open)) {
    const claim = run.claims.get(task);
    if (claim?.by !== 'wrapper' || baseOf(claim.nativeId) === baseOf(line.nativeId)) return false;
  }
  return [...indexes(tasksOf(run, line))].some((task) => contains(run.started, task));
}
