import type { Database } from './database.ts';

/** Takes the lease if it is free or expired, under a new epoch; null when another holds it. A holder that asks again gets its own epoch back. */
export function takeLeaderLease(_db: Database, _holder: string, _ttlMs: number): Promise<{ epoch: number } | null> {
  throw new Error('not yet');
}

/** False: the lease was lost, and everything this leader still commits will be refused. */
export function renewLeaderLease(
  _db: Database,
  _lease: { holder: string; epoch: number; ttlMs: number },
): Promise<boolean> {
  throw new Error('not yet');
}

/** Gives the lease back at shutdown, so that another replica need not wait for its end. */
export function releaseLeaderLease(_db: Database, _lease: { holder: string; epoch: number }): Promise<void> {
  throw new Error('not yet');
}
