import { parseMarker } from '@switchyard/core/spec/marker.ts';
import { difference, indexes, intersection, takeFirst } from '@switchyard/core/spec/range-set.ts';
import type { RunStatus, StrayJob } from './backend.ts';
import { type BackendState, changing } from './backend-state.ts';
import { baseOf, followRun, isTimeToLookAgain, tasksOf } from './follow-run.ts';
import { killAgain } from './kill-run.ts';
import type { NativeJob } from './native-queue.ts';
import { submitNatively } from './submit-run.ts';
import { hasEnded, openTasks, statusOf, type TrackedRun } from './tracked-run.ts';

const ACCOUNTING_AGAIN_MS = 5000;
const ACCOUNTING_IDS = 1000;
/** A submit takes its time to be answered, and clocks differ. */
const SUBMIT_MARGIN_MS = 60_000;
/** The agent's own patience is for 90 seconds; tests have less time. */
const GRACE_MS = 90_000;

/** One listing, however many runs: only those are looked at of which it says something new, or which are half way. */
export async function observeRuns(state: BackendState): Promise<{ changed: RunStatus[]; strays: StrayJob[] }> {
  const askedAtMs = state.now();
  const lines = await state.queue.list();
  const nowMs = state.now();
  state.listingMs = nowMs - askedAtMs;
  const byMarker = groupByMarker(lines);
  const doubtful = await doubtfulRuns(state, byMarker);
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

  const trusted = [...state.runs.values()].filter((run) => !doubtful.has(run));
  const due = trusted.filter((run) => isDue(run, byMarker.get(run.order.marker) ?? [], nowMs));
  const lookAt = (run: TrackedRun, isListing: boolean) =>
    look(run, withStored(run, byMarker.get(run.order.marker) ?? []), isListing);
  await eachAlone(state, due, (run) => lookAt(run, true));
  await eachAlone(state, await askAccounting(state, due), (run) => lookAt(run, false));
  for (const run of trusted) {
    resubmit(state, run, byMarker.has(run.order.marker), askedAtMs);
    killAgain(state, run, byMarker.get(run.order.marker) ?? []);
  }
  const changed = [...state.changed].flatMap((runId) => state.runs.get(runId) ?? []).map(statusOf);
  state.changed.clear();
  return { changed, strays: straysOf(state, lines) };
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

/**
 * The runs whose absence proves nothing: most of many jobs cannot vanish at once without one of them having ended. What the
 * listing does show is as good as ever, so everything else goes on, and so does the session with the broker.
 */
async function doubtfulRuns(
  state: BackendState,
  byMarker: ReadonlyMap<string, unknown>,
): Promise<ReadonlySet<TrackedRun>> {
  const open = [...state.runs.values()].filter((run) => !hasEnded(run));
  const before = open.filter((run) => run.alive);
  const isMissing = (run: TrackedRun) => !byMarker.has(run.order.marker);
  const missing = before.filter(isMissing);
  const unexplained = missing.length * 2 > before.length ? await withoutEnd(state, missing) : [];
  const doubt = state.trust.doubt({ aliveBefore: before.length, vanished: unexplained.length });
  if (doubt === null) return new Set();
  state.warn(doubt);
  return new Set(await withoutEnd(state, open.filter(isMissing)));
}

async function withoutEnd(state: BackendState, runs: readonly TrackedRun[]): Promise<TrackedRun[]> {
  const ends = await Promise.all(
    runs.map(async (run) => {
      const first = takeFirst(openTasks(run), 1)[0]![0];
      const claim = run.hasDirectory ? await state.store.read(run.order.runId, first) : null;
      return claim !== null && (claim.record.by !== 'wrapper' || claim.record.end !== null);
    }),
  );
  return runs.filter((_, at) => !ends[at]);
}

/**
 * What left the listing, or ended in it without a record, may be known better to accounting; one question for all of them. The
 * runs of which it said something.
 */
async function askAccounting(state: BackendState, due: readonly TrackedRun[]): Promise<TrackedRun[]> {
  const nowMs = state.now();
  const waiting = due.filter((run) => run.limbo.size > 0 && nowMs - run.askedAccountingAtMs >= ACCOUNTING_AGAIN_MS);
  const asked: TrackedRun[] = [];
  const ids: string[] = [];
  // One question has room for so many; the others, asked longest ago, come first in the next.
  for (const run of waiting.sort((left, right) => left.askedAccountingAtMs - right.askedAccountingAtMs)) {
    if (ids.length >= ACCOUNTING_IDS) break;
    asked.push(run);
    ids.push(...limboIds(run));
  }
  for (const run of asked) run.askedAccountingAtMs = nowMs;
  // Accounting that is away must not hold up everything else: what waits for it waits 90 seconds.
  const said = ids.length === 0 ? [] : await state.queue.accounting(ids).catch(() => null);
  if (said === null) return [];
  return asked.filter((run) => {
    const own = new Set(limboIds(run).map(baseOf));
    run.stored = said.filter(
      (line) =>
        line.phase === 'ended' &&
        own.has(baseOf(line.nativeId)) &&
        isSameJob(run, line) &&
        [...indexes(tasksOf(run, line))].some((task) => run.limbo.has(task)),
    );
    run.owedAccounting = false;
    return run.stored.length > 0;
  });
}

/**
 * Numbers are used again once a controller has lost its state, and accounting keeps the jobs of both: a marker, where it
 * stores one, must be ours, and the time of the submission that which the listing showed or at which our submit was answered.
 */
function isSameJob(run: TrackedRun, { marker, nativeId, submittedAtMs }: NativeJob): boolean {
  if (marker !== '') return marker === run.order.marker;
  if (baseOf(nativeId) !== baseOf(run.nativeId) || run.nativeSubmittedAtMs === 0 || submittedAtMs === 0) return true;
  return Math.abs(submittedAtMs - run.nativeSubmittedAtMs) <= SUBMIT_MARGIN_MS;
}

/** An array as a whole, for the list of a large one's tasks would not fit a command line. */
function limboIds(run: TrackedRun): string[] {
  const holders = [...run.limbo.keys()].map((task) => {
    const claim = run.claims.get(task);
    return claim?.by === 'wrapper' && claim.nativeId !== '' ? claim.nativeId : run.nativeId;
  });
  const ids = run.isArray ? holders.map(baseOf) : holders;
  return [...new Set(ids)].filter((id) => id !== '');
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
function straysOf(state: BackendState, lines: readonly NativeJob[]): StrayJob[] {
  const byOwner = new Map([...state.runs.values()].map((run) => [run.order.marker, run]));
  return lines.flatMap((line) => {
    if (line.phase === 'ended') return [];
    const run = byOwner.get(line.marker);
    if (run && !cannotStart(run, line)) return [];
    const { nativeId, marker, rawState: nativeState, submittedAtMs: nativeSubmittedAtMs } = line;
    const origin = parseMarker(marker);
    return origin ? [{ nativeId, ...origin, nativeState, nativeSubmittedAtMs }] : [];
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
  return intersection(tasksOf(run, line), run.started).length > 0;
}
