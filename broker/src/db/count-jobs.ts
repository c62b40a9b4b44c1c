import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';

/** How many jobs there are in each state; for metrics, read from the index by state. */
export async function countJobs(db: Database): Promise<Record<string, number>> {
  const text = 'SELECT state, count(*) AS jobs FROM jobs GROUP BY state';
  const { rows } = await statement<{ state: string; jobs: number }>(db.system, text);
  return Object.fromEntries(rows.map(({ state, jobs }) => [state, jobs]));
}
