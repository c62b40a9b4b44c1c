import type { Database } from './database.ts';
import { holdSession } from './hold-session.ts';
import { inTransaction } from './in-transaction.ts';
import type { Session } from './session.ts';

/** The agent holds nothing of these runs any more. False: fenced. */
export function markForgotten(db: Database, session: Session, runIds: readonly string[]): Promise<boolean> {
  return inTransaction(db.system, async (client) => {
    if ((await holdSession(client, session)) === null) return false;
    await client.query(
      `UPDATE runs SET forgotten_at = now()
       WHERE id = ANY($1::uuid[]) AND cluster = $2 AND state = 'ended' AND wanted IS NULL AND forgotten_at IS NULL`,
      [runIds, session.cluster],
    );
    return true;
  });
}
