import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';
import type { Session } from './session.ts';

/** The agent holds nothing of these runs any more. False: fenced. */
export async function markForgotten(db: Database, session: Session, runIds: readonly string[]): Promise<boolean> {
  const { rows } = await statement<{ live: boolean }>(
    db.system,
    `WITH live AS (SELECT 1 FROM clusters WHERE name = $1 AND session_epoch = $2),
       marked AS (UPDATE runs SET forgotten_at = now()
         WHERE id = ANY($3::uuid[]) AND cluster = $1 AND state = 'ended' AND forgotten_at IS NULL AND EXISTS (SELECT FROM live))
     SELECT EXISTS (SELECT FROM live) AS live`,
    [session.cluster, session.sessionEpoch, runIds],
  );
  return rows[0]?.live === true;
}
