import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';
import type { Session } from './session.ts';

/** The agent and its cluster answer: what was reported still holds, so the report is as fresh as this. False: fenced. */
export async function touchSession(db: Database, { cluster, sessionEpoch }: Session): Promise<boolean> {
  const { rowCount } = await statement(
    db.system,
    `WITH held AS (
       UPDATE clusters SET last_seen_at = now() WHERE name = $1 AND session_epoch = $2 RETURNING name
     ), fresh AS (
       UPDATE capacity_reports SET reported_at = now() WHERE cluster IN (SELECT name FROM held)
     ) SELECT FROM held`,
    [cluster, sessionEpoch],
  );
  return rowCount === 1;
}

/** The stream ended; a newer session of the cluster is left alone. */
export async function closeSession(db: Database, { cluster, sessionEpoch }: Session): Promise<void> {
  await statement(db.system, 'UPDATE clusters SET session_holder = NULL WHERE name = $1 AND session_epoch = $2', [
    cluster,
    sessionEpoch,
  ]);
}
