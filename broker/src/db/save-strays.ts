import type { Database } from './database.ts';
import { holdSession } from './hold-session.ts';
import { inTransaction } from './in-transaction.ts';
import type { Session } from './session.ts';

export type Stray = {
  readonly nativeId: string;
  readonly runId: string;
  readonly nativeState: string;
  /** 0: not known. */
  readonly nativeSubmittedAtMs: number;
};

/** Keeps what an agent found that cannot win its claim. Gives those to cancel; none while the federation is paused. Null: fenced. */
export function saveStrays(
  db: Database,
  session: Session,
  strays: readonly Stray[],
): Promise<readonly { readonly nativeId: string; readonly runId: string }[] | null> {
  return inTransaction(db.system, async (client) => {
    const held = await holdSession(client, session);
    if (held === null) return null;
    const { rows } = await client.query<{ nativeId: string; runId: string; verdict: 'show' | 'cancel' }>(upsertStrays, [
      session.cluster,
      strays.map((stray) => stray.nativeId),
      strays.map((stray) => stray.runId),
      strays.map((stray) => stray.nativeState),
      strays.map((stray) => (stray.nativeSubmittedAtMs ? new Date(stray.nativeSubmittedAtMs) : null)),
      strays.map((stray) => (isUuid(stray.runId) ? stray.runId : null)),
    ]);
    if (!held.isSettled) return [];
    return rows.filter((row) => row.verdict === 'cancel').map(({ nativeId, runId }) => ({ nativeId, runId }));
  });
}

/**
 * Only what provably is a copy may be cancelled: its run has ended, or goes by another native id. A stray of a run that nobody
 * knows may be the only trace of an acknowledged job after a restore of the database: it is shown to people.
 */
const upsertStrays = `
INSERT INTO strays (cluster, native_id, run_id, native_state, native_submitted_at, verdict)
SELECT DISTINCT ON (s.native_id, s.run_id) $1, s.native_id, s.run_id, s.native_state, s.submitted_at,
  CASE WHEN (r.state = 'ended' AND r.wanted IS NULL) OR r.native_id <> s.native_id THEN 'cancel' ELSE 'show' END
FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::uuid[]) AS s (native_id, run_id, native_state, submitted_at, known_id)
LEFT JOIN runs r ON r.id = s.known_id AND r.cluster = $1
ORDER BY s.native_id, s.run_id
ON CONFLICT (cluster, native_id, run_id) DO UPDATE
  SET native_state = excluded.native_state, verdict = excluded.verdict, last_seen_at = now()
RETURNING native_id AS "nativeId", run_id AS "runId", verdict`;

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
