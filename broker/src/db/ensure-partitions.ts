import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';

/** Makes this month's and next month's partitions of events and audit; at start and daily. */
export async function ensurePartitions(db: Database): Promise<void> {
  await statement(
    db.system,
    `SELECT switchyard_ensure_partitions(now()), switchyard_ensure_partitions(date_trunc('month', now(), 'UTC') + interval '32 days')`,
  );
}
