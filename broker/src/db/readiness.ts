import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';

/** Whether the database answers and has our tables. */
export async function isReady(db: Database): Promise<boolean> {
  try {
    await statement(db.system, 'SELECT FROM federation WHERE id = 1');
    return db.connectedSinceMs() !== null;
  } catch {
    return false;
  }
}
