import type { Database } from './database.ts';

/** A new cluster under a name that no other has; throws cluster_exists. */
export function addCluster(_db: Database, _cluster: { name: string; tokenHash: Buffer; actor: string }): Promise<void> {
  throw new Error('not yet');
}
