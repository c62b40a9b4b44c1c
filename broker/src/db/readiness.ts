import type { Database } from './database.ts';

/** Whether the database answers and its schema is the one this program brings. */
export function isReady(_db: Database): Promise<boolean> {
  throw new Error('not yet');
}
