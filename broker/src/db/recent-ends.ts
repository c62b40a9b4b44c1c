import type { Database } from './database.ts';
import { inTransaction, statement } from './in-transaction.ts';
import { isStillLeader } from './leader-lease.ts';

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

/** What ended lately on each cluster, since its breaker was last open: what opened a breaker once does not open it again. */
export async function recentEnds(db: Database, windowSeconds: number): Promise<RecentEnds[]> {
  const { rows } = await statement<RecentEnds>(
    db.system,
    `SELECT cluster, count(*)::int AS ended,
            (count(*) FILTER (WHERE outcome = 'refused'))::int AS refused,
            (count(*) FILTER (WHERE reason = 'unknown_end'))::int AS vanished,
            (count(DISTINCT job_id) FILTER (WHERE outcome = 'refused' OR reason = 'unknown_end'))::int AS "badJobs"
       FROM runs JOIN clusters ON clusters.name = runs.cluster
      WHERE recorded_end_at > now() - $1 * interval '1 second' AND recorded_end_at > coalesce(breaker_until, '-infinity')
      GROUP BY cluster ORDER BY cluster`,
    [windowSeconds],
  );
  return rows;
}

/** Keeps work away from a cluster for a while. False: not the leader. */
export function openBreaker(
  db: Database,
  leader: { epoch: number },
  breaker: { cluster: string; reason: string; forMs: number },
): Promise<boolean> {
  return inTransaction(db.system, async (client) => {
    if (!(await isStillLeader(client, leader.epoch))) return false;
    await client.query(
      `UPDATE clusters SET breaker_until = now() + $2 * interval '1 ms', breaker_reason = $3 WHERE name = $1`,
      [breaker.cluster, breaker.forMs, breaker.reason],
    );
    return true;
  });
}
