import { audit } from './audit.ts';
import type { Database } from './database.ts';
import { inTransaction } from './in-transaction.ts';

/** A new cluster under a name that no other has; throws cluster_exists. Audited. */
export function addCluster(db: Database, cluster: { name: string; tokenHash: Buffer; actor: string }): Promise<void> {
  return inTransaction(db.system, async (client) => {
    await client.query('INSERT INTO clusters (name, token_hash) VALUES ($1, $2)', [cluster.name, cluster.tokenHash]);
    await audit(client, { actor: cluster.actor, action: 'cluster.add', subject: cluster.name });
  });
}
