import { SwitchyardError } from '../errors.ts';
import { audit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { lockJobs } from './locked-jobs.ts';
import { notify } from './notify.ts';

export type Admission = 'active' | 'cordoned' | 'draining';

/** Whether new work goes to a cluster, and whether what waits there is taken back; audited. Throws unknown_cluster. */
export function setAdmission(
  db: Database,
  { cluster, admission, actor, why }: { cluster: string; admission: Admission; actor: string; why?: string },
): Promise<void> {
  return inTransaction(db.system, async (client) => {
    const { rows } = await client.query('SELECT admission FROM clusters WHERE name = $1 FOR UPDATE', [cluster]);
    if (rows.length === 0) throw new SwitchyardError('unknown_cluster', `There is no cluster '${cluster}'.`);
    await client.query('UPDATE clusters SET admission = $2 WHERE name = $1', [cluster, admission]);
    const change = { before: rows[0].admission, after: admission, ...(why !== undefined && { why }) };
    await audit(client, { actor, action: 'cluster.admission', subject: cluster, ...change });
    if (admission === 'draining') await takeBack(client, cluster);
    await notify(client, { t: 'jobs' }, { t: 'runs', c: cluster });
  });
}

/** What has not started leaves a draining cluster; the claim decides which that is. Nothing more is placed there, so once is enough. */
async function takeBack(client: Queryable, cluster: string): Promise<void> {
  const { rows } = await client.query<{ id: string }>(
    `SELECT id FROM runs WHERE cluster = $1 AND state IN ('offered', 'placed') AND forgotten_at IS NULL`,
    [cluster],
  );
  const runIds = rows.map((row) => row.id);
  await lockJobs(client, { runIds });
  await client.query(
    `UPDATE runs SET wanted = 'withdraw', wanted_at = now(), wanted_reason = 'the cluster is being drained'
     WHERE id = ANY($1::uuid[]) AND state IN ('offered', 'placed') AND wanted IS NULL`,
    [runIds],
  );
}
