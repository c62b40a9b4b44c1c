import { SwitchyardError } from '../errors.ts';
import { audit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { giveUpRuns } from './give-up-runs.ts';
import { inTransaction } from './in-transaction.ts';
import { UNREACHABLE_AFTER_SECONDS } from './unreachable.ts';

/** The operator's word that nothing of ours runs there any more: what is out there ends as cluster_lost, or is made again. Audited. */
export function forgetCluster(
  db: Database,
  { cluster, actor, why }: { cluster: string; actor: string; why?: string },
): Promise<{ runs: number }> {
  return inTransaction(db.system, async (client) => {
    const known = await client.query('SELECT FROM clusters WHERE name = $1 FOR NO KEY UPDATE', [cluster]);
    if (known.rowCount === 0) throw new SwitchyardError('unknown_cluster', `There is no cluster '${cluster}'.`);
    const { rows } = await client.query<{ id: string }>(
      `SELECT id FROM runs WHERE cluster = $1 AND forgotten_at IS NULL AND state <> 'ended'`,
      [cluster],
    );
    const ids = rows.map((row) => row.id);
    const runs = await giveUpRuns(client, ids, `the operator gave cluster ${cluster} up`);
    await excuse(client, cluster);
    const more = why === undefined ? {} : { why };
    await audit(client, { actor, action: 'cluster.forget', subject: cluster, after: { runs }, ...more });
    return { runs };
  });
}

/**
 * A dead cluster has no inventory that a pause could wait for. One with a live session has: it must tell. A session that only seems dead is
 * fenced, so that it begins again with its hello.
 */
async function excuse(client: Queryable, cluster: string): Promise<void> {
  await client.query(
    `UPDATE clusters SET reconciled_at = clock_timestamp(), session_epoch = session_epoch + 1, session_holder = NULL
     WHERE name = $1 AND (session_holder IS NULL OR last_seen_at <= now() - interval '${UNREACHABLE_AFTER_SECONDS} s')`,
    [cluster],
  );
}
