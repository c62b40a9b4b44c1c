import type { Database } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import type { Session } from './session.ts';

export type Stray = {
  readonly nativeId: string;
  readonly runId: string;
  readonly nativeState: string;
  /** 0: not known. */
  readonly nativeSubmittedAtMs: number;
};

/**
 * Keeps what an agent found that cannot win its claim. A run that the database knows makes its copies safe to cancel; a run that
 * it does not know is only shown, since the database may be the one that is wrong. Gives those to cancel; none while the
 * federation is paused. Null: fenced.
 */
export function saveStrays(
  db: Database,
  session: Session,
  strays: readonly Stray[],
): Promise<readonly { readonly nativeId: string; readonly runId: string }[] | null> {
  return inTransaction(db.system, async (client) => {
    const live = await client.query('SELECT 1 FROM clusters WHERE name = $1 AND session_epoch = $2 FOR SHARE', [
      session.cluster,
      session.sessionEpoch,
    ]);
    if (live.rows.length === 0) return null;
    await client.query(
      `INSERT INTO strays (cluster, native_id, run_id, native_state, native_submitted_at, verdict)
       SELECT $1, s.native_id, s.run_id, s.native_state, to_timestamp(nullif(s.submitted_ms, 0) / 1000.0),
              CASE WHEN runs.id IS NULL THEN 'show' ELSE 'cancel' END
         FROM unnest($2::text[], $3::text[], $4::text[], $5::float8[]) AS s (native_id, run_id, native_state, submitted_ms)
         LEFT JOIN runs ON runs.id::text = s.run_id AND runs.cluster = $1
       ON CONFLICT (cluster, native_id, run_id)
       DO UPDATE SET native_state = excluded.native_state, verdict = excluded.verdict, last_seen_at = now()`,
      [
        session.cluster,
        strays.map((stray) => stray.nativeId),
        strays.map((stray) => stray.runId),
        strays.map((stray) => stray.nativeState),
        strays.map((stray) => stray.nativeSubmittedAtMs),
      ],
    );
    const { rows } = await client.query<{ native_id: string; run_id: string }>(
      `SELECT native_id, run_id FROM strays
        WHERE cluster = $1 AND verdict = 'cancel' AND native_id = ANY($2::text[])
          AND NOT EXISTS (SELECT FROM federation WHERE paused_reason IS NOT NULL)
        ORDER BY native_id`,
      [session.cluster, strays.map((stray) => stray.nativeId)],
    );
    return rows.map((row) => ({ nativeId: row.native_id, runId: row.run_id }));
  });
}
