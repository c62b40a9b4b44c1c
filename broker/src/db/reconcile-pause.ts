import type { Database } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { isStillLeader } from './leader-lease.ts';
import { notify } from './notify.ts';

export type PauseState =
  | { readonly kind: 'running' }
  | { readonly kind: 'resumed'; readonly placementNumber: number }
  | { readonly kind: 'paused'; readonly reason: string; readonly waitingFor: readonly string[] };

/** Ends the pause once every cluster that has runs or has ever said hello is reconciled. Null: not the leader. */
export function reconcilePause(db: Database, leader: { epoch: number }): Promise<PauseState | null> {
  return inTransaction(db.system, async (client) => {
    if (!(await isStillLeader(client, leader.epoch))) return null;
    const { rows } = await client.query<{ paused_reason: string | null }>(
      'SELECT paused_reason FROM federation WHERE id = 1 FOR UPDATE',
    );
    const reason = rows[0]?.paused_reason ?? null;
    if (reason === null) return { kind: 'running' };
    const behind = await client.query<{ name: string }>(
      `SELECT name FROM clusters, federation
        WHERE (hello_at IS NOT NULL OR EXISTS (SELECT FROM runs WHERE runs.cluster = clusters.name AND runs.state <> 'ended'))
          AND (reconciled_at IS NULL OR reconciled_at <= federation.paused_at)
        ORDER BY name`,
    );
    if (behind.rows.length > 0) return { kind: 'paused', reason, waitingFor: behind.rows.map((row) => row.name) };
    const resumed = await client.query<{ placement_number: string }>(
      `UPDATE federation SET paused_reason = NULL, paused_at = NULL,
              placement_number = greatest(placement_number, (SELECT coalesce(max(highest_placement), 0) FROM clusters),
                                          (SELECT coalesce(max(placement_number), 0) FROM runs))
        WHERE id = 1 RETURNING placement_number`,
    );
    await notify(client, { t: 'jobs' });
    return { kind: 'resumed', placementNumber: Number(resumed.rows[0]!.placement_number) };
  });
}
