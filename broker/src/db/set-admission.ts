import { SwitchyardError } from '../errors.ts';
import { audit } from './audit.ts';
import type { Database } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { notify } from './notify.ts';

export type Admission = 'active' | 'cordoned' | 'draining';

/** Whether new work goes to a cluster; audited. Throws unknown_cluster. */
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
    await notify(client, { t: 'jobs' });
  });
}
