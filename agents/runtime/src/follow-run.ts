import { type Evidence, endWithoutStart, judge, UNKNOWN_END_SECONDS } from '@switchyard/core/lifecycle/evidence.ts';
import {
  contains,
  difference,
  indexes,
  intersection,
  type RangeSet,
  rangeSet,
  union,
} from '@switchyard/core/spec/range-set.ts';
import type { Claim, ClaimStore } from './claim-store.ts';
import { endOfClaim } from './end-of-claim.ts';
import type { NativeJob } from './native-queue.ts';
import { noteEnd, noteStart, openTasks, type TrackedRun } from './tracked-run.ts';

/** One listing, or what accounting said beside it, as far as it concerns one run. */
export type Sight = {
  readonly store: ClaimStore;
  readonly lines: readonly NativeJob[];
  /** When the listing was asked for: nothing submitted later can be missing from it. */
  readonly askedAtMs: number;
  readonly nowMs: number;
  /** Tests make 90 seconds shorter; 1 in real life. */
  readonly secondsPerSecond: number;
  /** False when the lines come from accounting: they are no further listing. */
  readonly isListing: boolean;
};

/** A large array has a line for each task that ended: which are about one task is asked for every task. */
type Indexed = Sight & { readonly about: (task: number) => readonly NativeJob[] };

/**
 * Brings one run up to date with what the cluster shows. Claims are read only where the native state says that something
 * happened: a start without a known claim, an end, or a job that is gone.
 */
export async function followRun(run: TrackedRun, plain: Sight): Promise<void> {
  const sight: Indexed = { ...plain, about: linesByTask(run, plain.lines) };
  noteNativeState(run, sight.lines);
  const cover = coverOf(run, sight.lines);
  run.alive = cover.alive.length > 0;
  const open = openTasks(run);
  const gone = difference(open, union(cover.alive, cover.ended));
  if (sight.isListing) noteLimbo(run, cover, gone, sight);
  const ended = intersection(open, cover.ended);
  const unclaimed = [...indexes(intersection(open, cover.running))].filter((task) => !run.claims.has(task));
  run.restless = false;
  for (const task of unclaimed) await lookForStart(run, task, sight);
  if (isTimeToLookAgain(run, sight.nowMs)) {
    run.lookedAgainAtMs = sight.nowMs;
    for (const task of indexes(intersection(open, cover.alive)))
      if (run.claims.has(task)) await lookForMissedEnd(run, task, sight);
  }
  for (const task of indexes(union(ended, gone))) await settle(run, task, cover, sight);
}

type Cover = { alive: RangeSet; running: RangeSet; ended: RangeSet };

function coverOf(run: TrackedRun, lines: readonly NativeJob[]): Cover {
  const of = (want: (line: NativeJob) => boolean) => union(...lines.filter(want).map((line) => tasksOf(run, line)));
  return {
    alive: of((line) => line.phase !== 'ended'),
    running: of((line) => line.phase === 'running' || line.phase === 'unknown'),
    ended: of((line) => line.phase === 'ended'),
  };
}

/** Tasks of our run that a native line speaks of. */
export function tasksOf(run: Pick<TrackedRun, 'isArray' | 'tasks'>, line: NativeJob): RangeSet {
  if (!run.isArray) return [[0, 0]];
  // A list of tasks that cannot be read may hold any of them: none is gone because of it.
  return line.tasks === '' && line.phase !== 'ended' ? run.tasks : rangeSet(line.tasks);
}

/** Read when it is first asked for: most listings say nothing new. */
function linesByTask(run: TrackedRun, lines: readonly NativeJob[]): Indexed['about'] {
  let known: Map<number, NativeJob[]> | null = null;
  const read = () => {
    const byTask = new Map<number, NativeJob[]>();
    for (const line of lines)
      for (const task of indexes(tasksOf(run, line))) byTask.set(task, [...(byTask.get(task) ?? []), line]);
    return byTask;
  };
  return (task) => {
    known ??= read();
    return known.get(task) ?? [];
  };
}

/** A run's native id is the one in its claim, or, before that, the first one seen. */
function noteNativeState(run: TrackedRun, lines: readonly NativeJob[]): void {
  const own = lines.filter((line) => baseOf(line.nativeId) === baseOf(run.nativeId));
  const shown = furthest(own.length > 0 ? own : lines);
  if (!shown) return;
  run.placed = true;
  if (run.nativeId === '') run.nativeId = run.isArray ? baseOf(shown.nativeId) : shown.nativeId;
  if (shown.submittedAtMs > 0) run.nativeSubmittedAtMs = shown.submittedAtMs;
  run.nativeState = shown.rawState;
  run.nativeReason = shown.rawReason;
  run.nativePool = shown.pool;
}

/** Of an array the line that says most about what is still to come. */
function furthest(lines: readonly NativeJob[]): NativeJob | undefined {
  return (
    lines.find((line) => line.phase === 'running') ??
    lines.find((line) => line.phase === 'waiting') ??
    lines.find((line) => line.phase === 'unknown') ??
    lines.at(-1)
  );
}

function noteLimbo(run: TrackedRun, cover: Cover, gone: RangeSet, sight: Sight): void {
  for (const task of run.limbo.keys()) if (contains(cover.alive, task)) run.limbo.delete(task);
  const ended = [...indexes(difference(intersection(cover.ended, openTasks(run)), cover.alive))];
  for (const task of ended) if (!run.limbo.has(task)) run.limbo.set(task, { sinceMs: sight.nowMs, listingsWithout: 0 });
  if (sight.askedAtMs <= run.nativeSubmittedAtMs) return;
  const listed = new Set(sight.lines.map((line) => baseOf(line.nativeId)));
  // A copy that lost the claim has ended and is still listed; the winner is not.
  const onlyCopies = ended.filter((task) => {
    const claim = run.claims.get(task);
    return claim?.by === 'wrapper' && claim.nativeId !== '' && !listed.has(baseOf(claim.nativeId));
  });
  for (const task of [...indexes(gone), ...onlyCopies]) {
    const before = run.limbo.get(task);
    const listingsWithout = (before?.listingsWithout ?? 0) + 1;
    run.limbo.set(task, { sinceMs: before?.sinceMs ?? sight.nowMs, listingsWithout });
  }
}

async function lookForStart(run: TrackedRun, task: number, { store }: Sight): Promise<void> {
  const claim = await claimOf(run, task, store);
  if (claim === null) run.restless = true;
  else if (claim.record.by === 'wrapper') noteStart(run, task, claim.record);
  else noteEnd(run, [task], endOfClaim(claim));
}

const LOOK_AGAIN_MS = 30_000;

/** Seldom, for it reads a file for every running task. */
export function isTimeToLookAgain(run: TrackedRun, nowMs: number): boolean {
  return run.claims.size > 0 && nowMs - run.lookedAgainAtMs >= LOOK_AGAIN_MS;
}

/** slurmctld, killed at the wrong moment, shows a job as running that ended long ago (seen on real Slurm); its own record knows. */
async function lookForMissedEnd(run: TrackedRun, task: number, sight: Indexed): Promise<void> {
  const claim = await claimOf(run, task, sight.store);
  const endedAtMs = claim?.record.by === 'wrapper' ? claim.record.end?.endedAtMs : null;
  if (!claim || !endedAtMs) return;
  const recordedForSeconds = (sight.nowMs - endedAtMs) / 1000;
  const verdict = judge({ ...evidenceOf(run, task, claim, sight), recordedForSeconds });
  if (verdict.kind === 'ended') noteEnd(run, [task], verdict.end);
}

async function settle(run: TrackedRun, task: number, cover: Cover, sight: Indexed): Promise<void> {
  let claim = await claimOf(run, task, sight.store);
  // Copies: one has ended without a start, another still waits for its turn.
  if (claim === null && contains(cover.alive, task)) return;
  // An answer that is still awaited: whether it was ever submitted is the submit's business.
  if (claim === null && (run.pending || run.submitting)) return;
  let verdict = judge(evidenceOf(run, task, claim, sight));
  if (verdict.kind === 'take_claim' && !(await sight.store.has(run.order.runId))) {
    run.hasDirectory = false;
    claim = LOST_CLAIM_FILE;
    verdict = judge(evidenceOf(run, task, claim, sight));
  } else if (verdict.kind === 'take_claim') {
    claim = await takeForTheDead(run, task, sight);
    verdict = judge(evidenceOf(run, task, claim, sight));
  }
  if (claim?.record.by === 'wrapper') noteStart(run, task, claim.record);
  if (claim && claim.record.by !== 'wrapper') noteEnd(run, [task], endOfClaim(claim));
  else if (verdict.kind === 'ended') noteEnd(run, [task], verdict.end);
  else run.restless = true;
}

/** The native job is gone and nobody claimed: whoever takes the claim first decides whether it ever started. */
async function takeForTheDead(run: TrackedRun, task: number, sight: Indexed): Promise<Claim> {
  const end = endWithoutStart(evidenceOf(run, task, null, sight));
  const purpose = run.cancelWanted ? 'cancelled' : 'withdrawn';
  const taken = await sight.store.take(run.order.runId, [task], purpose, end);
  return taken.get(task)!;
}

function evidenceOf(run: TrackedRun, task: number, claim: Claim | null, sight: Indexed): Evidence {
  const limbo = run.limbo.get(task);
  const seconds = limbo ? ((sight.nowMs - limbo.sinceMs) / 1000) * sight.secondsPerSecond : 0;
  return {
    claim: claim?.record ?? null,
    native: nativeOf(run, claim, sight.about(task)),
    cancelWanted: run.cancelWanted ? 'cancel' : null,
    neverSeen: {
      listingsWithout: limbo?.listingsWithout ?? 0,
      secondsSince: run.owedAccounting && seconds < UNKNOWN_END_SECONDS ? 0 : seconds,
    },
  };
}

/** The native job that the claim names; without a claim the one that was submitted first. */
function nativeOf(run: TrackedRun, claim: Claim | null, about: readonly NativeJob[]): NativeJob | null {
  const holder = claim?.record.by === 'wrapper' ? claim.record.nativeId : '';
  if (holder !== '') return about.find((line) => baseOf(line.nativeId) === baseOf(holder)) ?? null;
  return about.find((line) => baseOf(line.nativeId) === baseOf(run.nativeId)) ?? about[0] ?? null;
}

/** `123_4` and `123` are the same submission. */
export function baseOf(nativeId: string): string {
  return nativeId.split('_')[0]!;
}

/** A run whose directory is lost may have started: it counts as started by nobody knows whom. */
async function claimOf(run: TrackedRun, task: number, store: ClaimStore): Promise<Claim | null> {
  return run.hasDirectory ? store.read(run.order.runId, task) : LOST_CLAIM_FILE;
}

const LOST_CLAIM_FILE: Claim = {
  record: {
    by: 'wrapper',
    nativeId: '',
    restartCount: 0,
    host: '',
    claimedAtMs: null,
    pid: null,
    startedAtMs: null,
    signals: [],
    end: null,
  },
  verdict: null,
};
