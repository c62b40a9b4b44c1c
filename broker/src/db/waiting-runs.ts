import type { WaitingJob } from '@switchyard/core/placement/snapshot.ts';
import type { Database } from './database.ts';

/** A run that waits in a cluster's own queue: placed there, nothing started, nothing else asked of it. */
export type WaitingRun = {
  readonly runId: string;
  readonly cluster: string;
  readonly placedAtMs: number;
  /** Its job, as if only the tasks of this run were queued. */
  readonly job: WaitingJob;
};

/** Runs that have waited longest in a cluster's own queue, at least so long. */
export function waitingRuns(_db: Database, _query: { olderThanMs: number; limit: number }): Promise<WaitingRun[]> {
  throw new Error('not yet');
}

/** Asks to take these runs back; those that started meanwhile stay. Gives how many were asked. Null: not the leader. */
export function wantWithdrawn(
  _db: Database,
  _leader: { epoch: number },
  _runIds: readonly string[],
  _why: string,
): Promise<number | null> {
  throw new Error('not yet');
}
