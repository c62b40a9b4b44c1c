import { audit } from './audit.ts';
import type { Database } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { notify } from './notify.ts';

/**
 * Asks the cluster of a run to give it back, and makes the job prefer other clusters from then on. Only the claim decides: a run
 * that starts meanwhile stays. `not_waiting`: it has started, ended, or something is asked of it already.
 */
export function requestWithdraw(
  db: Database,
  request: { runId: string; actor: string; why?: string },
): Promise<'requested' | 'not_waiting' | 'unknown'> {
  const { why = 'asked by an operator' } = request;
  return inTransaction(db.system, async (client) => {
    const found = await client.query<{ job_id: string }>('SELECT job_id FROM runs WHERE id = $1', [request.runId]);
    if (found.rows.length === 0) return 'unknown';
    // Job before run, as everywhere: two transactions that want both never wait for each other.
    await client.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [found.rows[0]!.job_id]);
    const { rows } = await client.query<{ cluster: string }>(
      `WITH asked AS (
         UPDATE runs SET wanted = 'withdraw', wanted_at = now(), wanted_reason = $2
         WHERE id = $1 AND state IN ('offered', 'placed') AND wanted IS NULL RETURNING job_id, cluster
       ), avoided AS (
         UPDATE jobs SET avoid_clusters = avoid_clusters || to_jsonb(cluster) FROM asked
         WHERE jobs.id = job_id AND NOT avoid_clusters ? cluster
       )
       SELECT cluster FROM asked`,
      [request.runId, why],
    );
    if (rows.length === 0) return 'not_waiting';
    await audit(client, { actor: request.actor, action: 'run.withdraw', subject: request.runId, why });
    await notify(client, { t: 'runs', c: rows[0]!.cluster });
    return 'requested';
  });
}
