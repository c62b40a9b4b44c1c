import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';

/** Whether some replica holds the lease now. */
export async function hasLeader(db: Database): Promise<boolean> {
  const { rowCount } = await statement(db.system, 'SELECT FROM leader_lease WHERE expires_at > now()');
  return rowCount === 1;
}
