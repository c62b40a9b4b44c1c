import type { Queryable } from './database.ts';
import type { Session } from './session.ts';

export type HeldSession = {
  readonly nowMs: number;
  readonly helloAtMs: number;
  readonly reconciledAtMs: number | null;
  readonly placementNumber: number;
  readonly pausedReason: string | null;
  readonly pausedAtMs: number | null;
  /**
   * Neither paused nor before the inventory. A pause that committed while this waited for the cluster's row is not yet in what was read of
   * the federation, but it has taken the mark of the inventory from the row that was waited for.
   */
  readonly isSettled: boolean;
};

/**
 * Holds the cluster's row until the transaction ends, so that no newer session can begin in between. Null: one has begun already.
 * `toChange` when the same transaction will write the row: two that both share it first would wait for each other.
 */
export async function holdSession(
  client: Queryable,
  { cluster, sessionEpoch }: Session,
  how: 'to share' | 'to change' = 'to share',
): Promise<HeldSession | null> {
  const { rows } = await client.query<SessionRow>({
    name: `hold-session-${how}`,
    text: `SELECT c.session_epoch, now() AS now, c.hello_at, c.reconciled_at, f.placement_number, f.paused_reason, f.paused_at
      FROM clusters c CROSS JOIN federation f WHERE c.name = $1
      ${how === 'to share' ? 'FOR SHARE OF c' : 'FOR NO KEY UPDATE OF c'}`,
    values: [cluster],
  });
  const row = rows[0];
  if (row?.session_epoch !== sessionEpoch) return null;
  return {
    nowMs: row.now.getTime(),
    helloAtMs: row.hello_at?.getTime() ?? 0,
    reconciledAtMs: row.reconciled_at?.getTime() ?? null,
    placementNumber: row.placement_number,
    pausedReason: row.paused_reason,
    pausedAtMs: row.paused_at?.getTime() ?? null,
    isSettled: row.paused_reason === null && row.reconciled_at !== null,
  };
}

type SessionRow = {
  session_epoch: number;
  now: Date;
  hello_at: Date | null;
  reconciled_at: Date | null;
  placement_number: number;
  paused_reason: string | null;
  paused_at: Date | null;
};
