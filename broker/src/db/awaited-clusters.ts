import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';

/**
 * Clusters whose agents were there in the minute before our connection began (`heldMs` ago) and have not been heard since,
 * neither by a new session here nor by a session of another replica that still holds. Reckoned in the database's own time.
 */
export async function awaitedClusters(db: Database, heldMs: number): Promise<string[]> {
  const { rows } = await statement<{ name: string }>(
    db.system,
    `WITH connection AS (SELECT now() - $1 * interval '1 millisecond' AS since)
     SELECT name FROM clusters, connection
      WHERE last_seen_at > since - interval '60 seconds' AND last_seen_at <= since AND hello_at <= since
      ORDER BY name`,
    [heldMs],
  );
  return rows.map((row) => row.name);
}
