import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';

/** Whether a placement cycle has anything to do: tasks in the queue, or a pause that may be over. One look at the index of waiting jobs. */
export async function isAnythingWaiting(db: Database): Promise<boolean> {
  const { rows } = await statement<{ waiting: boolean }>(
    db.system,
    `SELECT paused_reason IS NOT NULL OR EXISTS (
       SELECT FROM jobs WHERE state IN ('queued', 'placing', 'placed', 'running') AND queued <> '{}'
     ) AS waiting FROM federation`,
  );
  return rows[0]!.waiting;
}
