import type { Database } from './database.ts';
import { giveUpRuns } from './give-up-runs.ts';
import { inTransaction, statement } from './in-transaction.ts';
import { isStillLeader } from './leader-lease.ts';

/** A run on a cluster that is out of sight, whose job may be run again elsewhere. */
export type LostCandidate = { readonly runId: string; readonly cluster: string; readonly lostAfterSeconds: number };

/** Clusters that have runs out and have not been heard of for so long. */
export async function unreachableClusters(db: Database, withoutReportMs: number): Promise<string[]> {
  const { rows } = await statement<{ name: string }>(
    db.system,
    `SELECT name FROM clusters c
     WHERE coalesce(last_seen_at <= now() - $1 * interval '1 ms', true)
       AND EXISTS (SELECT FROM runs r WHERE r.cluster = c.name AND r.forgotten_at IS NULL AND r.state <> 'ended')
     ORDER BY name`,
    [withoutReportMs],
  );
  return rows.map((row) => row.name);
}

/** Runs out on these clusters whose jobs are rerunnable, name lostAfterSeconds and have an attempt left: silence alone ends nothing. */
export async function lostCandidates(db: Database, clusters: readonly string[]): Promise<LostCandidate[]> {
  const { rows } = await statement<LostCandidate>(
    db.system,
    `SELECT r.id AS "runId", r.cluster, (j.spec->'retry'->>'lostAfterSeconds')::int AS "lostAfterSeconds"
     FROM runs r JOIN jobs j ON j.id = r.job_id
     WHERE r.cluster = ANY($1::text[]) AND r.forgotten_at IS NULL AND r.state <> 'ended'
       AND j.spec @> '{"rerunnable": true}' AND j.spec->'retry' ? 'lostAfterSeconds'
       AND r.attempt < (j.spec->'retry'->>'maxAttempts')::int AND j.cancel_requested_at IS NULL
     ORDER BY r.placement_number`,
    [clusters],
  );
  return rows;
}

/** Ends these runs as cluster_lost and makes them again by the retry rules; gives how many. Null: not the leader. */
export function endLostRuns(
  db: Database,
  leader: { epoch: number },
  runIds: readonly string[],
): Promise<number | null> {
  return inTransaction(db.system, async (client) => {
    if (!(await isStillLeader(client, leader.epoch))) return null;
    return giveUpRuns(client, runIds, 'the cluster was out of sight for longer than the job allows');
  });
}
