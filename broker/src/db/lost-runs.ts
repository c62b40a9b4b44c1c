import type { Database } from './database.ts';

/** A run on a cluster that is out of sight, whose job may be run again elsewhere. */
export type LostCandidate = { readonly runId: string; readonly cluster: string; readonly lostAfterSeconds: number };

/** Clusters that have runs out and have not reported for so long. */
export function unreachableClusters(_db: Database, _withoutReportMs: number): Promise<string[]> {
  throw new Error('not yet');
}

/** Runs out on these clusters whose jobs are rerunnable and name lostAfterSeconds. */
export function lostCandidates(_db: Database, _clusters: readonly string[]): Promise<LostCandidate[]> {
  throw new Error('not yet');
}

/** Ends these runs as cluster_lost and makes them again by the retry rules; gives how many. Null: not the leader. */
export function endLostRuns(
  _db: Database,
  _leader: { epoch: number },
  _runIds: readonly string[],
): Promise<number | null> {
  throw new Error('not yet');
}
