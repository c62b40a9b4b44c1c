import type { Database } from './database.ts';

/** The operator's word that nothing of ours runs there any more: what is out there ends as cluster_lost, or is made again. Audited. */
export function forgetCluster(
  _db: Database,
  _order: { cluster: string; actor: string; why?: string },
): Promise<{ runs: number }> {
  throw new Error('not yet');
}
