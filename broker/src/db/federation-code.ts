import type { Database } from './database.ts';

/** The four characters that begin every marker of this federation, and that its agents know it by. */
export async function federationCode(db: Database): Promise<string> {
  const { rows } = await db.system.query<{ code: string }>('SELECT code FROM federation WHERE id = 1');
  return rows[0]!.code;
}
