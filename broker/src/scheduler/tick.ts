import { randomUUIDv7 } from 'node:crypto';
import { hasRoomLeft } from '@switchyard/core/placement/has-room-left.ts';
import { place } from '@switchyard/core/placement/place.ts';
import type { Plan, Wait } from '@switchyard/core/placement/snapshot.ts';
import { awaitedClusters } from '../db/awaited-clusters.ts';
import { commitPlan } from '../db/commit-plan.ts';
import type { Database } from '../db/database.ts';
import { isAnythingWaiting } from '../db/is-anything-waiting.ts';
import { type LoadedSnapshot, loadSnapshot } from '../db/load-snapshot.ts';
import { reconcilePause } from '../db/reconcile-pause.ts';
import type { QueuePosition } from '../db/waiting-jobs.ts';
import type { SchedulerSettings } from './settings.ts';

export type Tick = {
  readonly placed: number;
  readonly refused: number;
  readonly ended: number;
  readonly waits: readonly Wait[];
  /** Why nothing was placed at all, for people; null in ordinary life. */
  readonly stoppedBy: string | null;
};

const nothing = { placed: 0, refused: 0, ended: 0, waits: [] };

/** How far behind the first jobs of the queue the cycles have looked; null: nowhere yet, or all the way. */
export type Progress = { behind: QueuePosition | null };

/** One cycle: snapshot, place, commit. Null: this process is not the leader any more. */
export async function tick(
  db: Database,
  epoch: number,
  settings: SchedulerSettings,
  progress: Progress = { behind: null },
): Promise<Tick | null> {
  const barrier = await barrierReason(db, settings.barrierMs);
  if (barrier !== null) return { ...nothing, stoppedBy: barrier };
  if (!(await isAnythingWaiting(db))) return { ...nothing, stoppedBy: null };
  const snapshot = await loadSnapshot(db, { maxJobs: settings.maxJobs });
  if (snapshot.pausedReason !== null) {
    const pause = await reconcilePause(db, { epoch });
    if (pause === null) return null;
    return pause.kind === 'paused'
      ? { ...nothing, stoppedBy: pausedSentence(pause) }
      : tick(db, epoch, settings, progress);
  }
  const { plan, tick: first } = await placeOn(snapshot, db, epoch, settings);
  if (first === null) return null;
  const last = snapshot.jobs.length >= settings.maxJobs ? snapshot.jobs.at(-1) : undefined;
  if (last === undefined || !hasRoomLeft(snapshot, plan, snapshot.takenAtMs, settings)) return first;
  const second = await tickBehind(last, db, epoch, settings, progress);
  return (
    second && {
      placed: first.placed + second.placed,
      refused: first.refused + second.refused,
      ended: first.ended + second.ended,
      waits: [...first.waits, ...second.waits],
      stoppedBy: null,
    }
  );
}

/**
 * The first jobs of the queue have left room that others behind them may use: one more stretch of it, in every cycle the next one, until
 * its end. So the cost stays bounded, and jobs that nobody can take hide nothing for long.
 */
async function tickBehind(
  first: QueuePosition,
  db: Database,
  epoch: number,
  settings: SchedulerSettings,
  progress: Progress,
): Promise<Tick | null> {
  const after = progress.behind && isBehind(progress.behind, first) ? progress.behind : first;
  const snapshot = await loadSnapshot(db, { maxJobs: settings.maxJobs, after });
  const { plan, tick } = await placeOn(snapshot, db, epoch, settings);
  const last = snapshot.jobs.length >= settings.maxJobs ? snapshot.jobs.at(-1) : undefined;
  // What a full plan left out is looked at again.
  if (plan.placements.length < settings.limit)
    progress.behind = last ? { priority: last.priority, number: last.number } : null;
  return tick;
}

function isBehind(one: QueuePosition, other: QueuePosition): boolean {
  return one.priority < other.priority || (one.priority === other.priority && one.number > other.number);
}

/** Tick null: not the leader any more. */
async function placeOn(
  snapshot: LoadedSnapshot,
  db: Database,
  epoch: number,
  settings: SchedulerSettings,
): Promise<{ plan: Plan; tick: Tick | null }> {
  const plan = place(snapshot, snapshot.takenAtMs, settings);
  if (isEmpty(plan)) return { plan, tick: { ...nothing, waits: plan.waits, stoppedBy: null } };
  const commit = await commitPlan(db, plan, { epoch, newRunId: randomUUIDv7 });
  if (commit === null) return { plan, tick: null };
  const { placed, refused, ended } = commit;
  const counts = { placed: placed.length, refused: refused.length, ended: ended.length };
  return { plan, tick: { ...counts, waits: plan.waits, stoppedBy: null } };
}

/**
 * A connection that was lost may have come back to a database that went back in time. The agents are who would know: until
 * those that were there have said hello again, or have had their time, nothing is placed.
 */
async function barrierReason(db: Database, barrierMs: number): Promise<string | null> {
  const since = db.connectedSinceMs();
  if (since === null) return 'the database is not connected';
  const heldMs = Math.max(0, performance.now() - since);
  if (heldMs >= barrierMs) return null;
  const awaited = await awaitedClusters(db, heldMs);
  return awaited.length === 0 ? null : `waiting for the agents of ${awaited.join(', ')} to come back`;
}

function pausedSentence(pause: { reason: string; waitingFor: readonly string[] }): string {
  return pause.waitingFor.length === 0 ? pause.reason : `${pause.reason}; waiting for ${pause.waitingFor.join(', ')}`;
}

function isEmpty(plan: Plan): boolean {
  return plan.placements.length === 0 && plan.dead.length === 0;
}
