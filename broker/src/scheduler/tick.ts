import { randomUUIDv7 } from 'node:crypto';
import { place } from '@switchyard/core/placement/place.ts';
import type { Plan, Wait } from '@switchyard/core/placement/snapshot.ts';
import { awaitedClusters } from '../db/awaited-clusters.ts';
import { commitPlan } from '../db/commit-plan.ts';
import type { Database } from '../db/database.ts';
import { isAnythingWaiting } from '../db/is-anything-waiting.ts';
import { loadSnapshot } from '../db/load-snapshot.ts';
import { reconcilePause } from '../db/reconcile-pause.ts';
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

/** One cycle: snapshot, place, commit. Null: this process is not the leader any more. */
export async function tick(db: Database, epoch: number, settings: SchedulerSettings): Promise<Tick | null> {
  const barrier = await barrierReason(db, settings.barrierMs);
  if (barrier !== null) return { ...nothing, stoppedBy: barrier };
  if (!(await isAnythingWaiting(db))) return { ...nothing, stoppedBy: null };
  const snapshot = await loadSnapshot(db, { maxJobs: settings.maxJobs });
  if (snapshot.pausedReason !== null) {
    const pause = await reconcilePause(db, { epoch });
    if (pause === null) return null;
    return pause.kind === 'paused' ? { ...nothing, stoppedBy: pausedSentence(pause) } : tick(db, epoch, settings);
  }
  const plan = place(snapshot, Date.now(), settings);
  if (isEmpty(plan)) return { ...nothing, waits: plan.waits, stoppedBy: null };
  const commit = await commitPlan(db, plan, { epoch, newRunId: randomUUIDv7 });
  if (commit === null) return null;
  return {
    placed: commit.placed.length,
    refused: commit.refused.length,
    ended: commit.ended.length,
    waits: plan.waits,
    stoppedBy: null,
  };
}

/**
 * A connection that was lost may have come back to a database that went back in time. The agents are who would know: until
 * those that were there have said hello again, or have had their time, nothing is placed.
 */
async function barrierReason(db: Database, barrierMs: number): Promise<string | null> {
  const since = db.connectedSinceMs();
  if (since === null) return 'the database is not connected';
  const heldMs = Math.max(0, Date.now() - since);
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
