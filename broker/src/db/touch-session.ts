import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';
import type { Session } from './session.ts';

/** The agent and its cluster answer: what was reported still holds. False: fenced. */
export async function touchSession(db: Database, session: Session): Promise<boolean> {
  const { rowCount } = await statement(
    db.system,
    `WITH seen AS (UPDATE clusters SET last_seen_at = now() WHERE name = $1 AND session_epoch = $2 RETURNING name)
     UPDATE capacity_reports SET reported_at = now() FROM seen WHERE cluster = seen.name
     RETURNING 1`,
    [session.cluster, session.sessionEpoch],
  );
  if ((rowCount ?? 0) > 0) return true;
  // No report yet, or fenced: only the cluster's row knows.
  const { rows } = await statement(db.system, 'SELECT 1 FROM clusters WHERE name = $1 AND session_epoch = $2', [
    session.cluster,
    session.sessionEpoch,
  ]);
  return rows.length > 0;
}

/** The stream ended; a newer session of the cluster is left alone. */
export async function closeSession(db: Database, session: Session): Promise<void> {
  await statement(db.system, 'UPDATE clusters SET session_holder = NULL WHERE name = $1 AND session_epoch = $2', [
    session.cluster,
    session.sessionEpoch,
  ]);
}
