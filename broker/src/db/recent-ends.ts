import type { Database } from './database.ts';

/** What ended on one cluster lately. */
export type RecentEnds = {
  readonly cluster: string;
  /** Runs that ended within the window. */
  readonly ended: number;
  /** Of those, refused by the cluster: they never started. */
  readonly refused: number;
  /** Of those, gone without any evidence. */
  readonly vanished: number;
  /** Jobs that the refused and vanished runs belong to. */
  readonly badJobs: number;
};

export function recentEnds(_db: Database, _windowSeconds: number): Promise<RecentEnds[]> {
  throw new Error('not yet');
}

/** Keeps work away from a cluster for a while. False: not the leader. */
export function openBreaker(
  _db: Database,
  _leader: { epoch: number },
  _breaker: { cluster: string; reason: string; forMs: number },
): Promise<boolean> {
  throw new Error('not yet');
}
