import type { Database, Queryable } from './database.ts';
import { statement } from './in-transaction.ts';

/** Takes the lease if it is free or expired, under a new epoch; null when another holds it. A holder that asks again in time keeps its epoch. */
export async function takeLeaderLease(db: Database, holder: string, ttlMs: number): Promise<{ epoch: number } | null> {
  const { rows } = await statement<{ epoch: number }>(
    db.system,
    `UPDATE leader_lease SET epoch = CASE WHEN holder = $1 AND expires_at > now() THEN epoch ELSE epoch + 1 END,
       holder = $1, expires_at = now() + $2 * interval '1 ms'
     WHERE holder IS NULL OR holder = $1 OR expires_at <= now() RETURNING epoch`,
    [holder, ttlMs],
  );
  return rows[0] ?? null;
}

/** False: the lease was lost, and everything this leader still commits will be refused. */
export async function renewLeaderLease(
  db: Database,
  { holder, epoch, ttlMs }: { holder: string; epoch: number; ttlMs: number },
): Promise<boolean> {
  const { rowCount } = await statement(
    db.system,
    `UPDATE leader_lease SET expires_at = now() + $3 * interval '1 ms' WHERE holder = $1 AND epoch = $2`,
    [holder, epoch, ttlMs],
  );
  return rowCount === 1;
}

/** Gives the lease back at shutdown, so that another replica need not wait for its end. */
export async function releaseLeaderLease(
  db: Database,
  { holder, epoch }: { holder: string; epoch: number },
): Promise<void> {
  await statement(
    db.system,
    'UPDATE leader_lease SET holder = NULL, expires_at = NULL WHERE holder = $1 AND epoch = $2',
    [holder, epoch],
  );
}

/**
 * Locks the lease until the transaction ends and says whether this epoch still holds it. FOR SHARE, not a comparison in WHERE: a statement
 * that waited for another row's lock would pass after the change (design section 3).
 */
export async function isStillLeader(client: Queryable, epoch: number): Promise<boolean> {
  const { rows } = await client.query<{ epoch: number }>('SELECT epoch FROM leader_lease WHERE id = 1 FOR SHARE');
  return rows[0]?.epoch === epoch;
}
