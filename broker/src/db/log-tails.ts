import { asPrincipal, type Viewer } from './as-principal.ts';
import type { Database } from './database.ts';
import { holdSession } from './hold-session.ts';
import { inTransaction, statement } from './in-transaction.ts';
import type { Session } from './session.ts';

/** The last bytes of an output that went away with its run. */
export type LogTail = {
  readonly runId: string;
  readonly task: number;
  readonly rank: number;
  /** Where `data` begins in the whole output. */
  readonly offset: number;
  readonly data: Buffer;
};

/** What one row may hold; a constraint of the table. */
export const MOST_TAIL_BYTES = 65_536;
/** For each run: twice the MiB that an agent sends, because rows without a byte count too. */
const MOST_RUN_BYTES = 2 * 1_048_576;
const ROW_BYTES = 64;
/** As long as an agent remembers a run that it has forgotten. */
const KEPT_DAYS = 30;

/**
 * Keeps tails of ended runs of this cluster; gives the runs that are its own, others get nothing. A tail that is there already stays: an
 * ended output does not change, so a repeat brings the same. Null: fenced.
 */
export function storeLogTails(
  db: Database,
  session: Session,
  tails: readonly LogTail[],
): Promise<readonly string[] | null> {
  return inTransaction(db.system, async (client) => {
    if ((await holdSession(client, session)) === null) return null;
    const { rows } = await client.query<{ id: string }>({
      name: 'store-log-tails',
      text: `WITH ours AS (SELECT id FROM runs WHERE id = ANY($1::uuid[]) AND cluster = $6 AND state = 'ended'),
        fresh AS (
          SELECT came.*, sum(octet_length(data) + ${ROW_BYTES}) OVER (PARTITION BY run_id ORDER BY position) AS bytes
          FROM unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::bytea[])
            WITH ORDINALITY AS came (run_id, task, rank, byte_offset, data, position)
          WHERE NOT EXISTS (SELECT FROM log_tails t WHERE t.run_id = came.run_id AND t.task = came.task AND t.rank = came.rank)
        ),
        held AS (
          SELECT run_id, sum(octet_length(data) + ${ROW_BYTES}) AS bytes FROM log_tails WHERE run_id = ANY($1::uuid[]) GROUP BY run_id
        ),
        stored AS (
          INSERT INTO log_tails (run_id, task, rank, byte_offset, data)
          SELECT fresh.run_id, task, rank, byte_offset, data
          FROM fresh JOIN ours ON ours.id = fresh.run_id LEFT JOIN held ON held.run_id = fresh.run_id
          WHERE fresh.bytes + coalesce(held.bytes, 0) <= ${MOST_RUN_BYTES}
          ON CONFLICT DO NOTHING
        )
        SELECT id FROM ours`,
      values: [
        tails.map(({ runId }) => runId),
        tails.map(({ task }) => task),
        tails.map(({ rank }) => rank),
        tails.map(({ offset }) => offset),
        tails.map(({ data }) => data),
        session.cluster,
      ],
    });
    return rows.map(({ id }) => id);
  });
}

/** What is kept of an output; null when nothing is, or nothing that the viewer may see. */
export function readLogTail(
  db: Database,
  viewer: Viewer,
  { runId, task, rank }: Pick<LogTail, 'runId' | 'task' | 'rank'>,
): Promise<Pick<LogTail, 'offset' | 'data'> | null> {
  return asPrincipal(db, viewer, async (client) => {
    const { rows } = await client.query<{ byte_offset: number; data: Buffer }>(
      'SELECT byte_offset, data FROM log_tails WHERE run_id = $1 AND task = $2 AND rank = $3',
      [runId, task, rank],
    );
    const row = rows[0];
    return row ? { offset: row.byte_offset, data: row.data } : null;
  });
}

/** Removes tails that are too old; now and then. */
export async function purgeLogTails(db: Database): Promise<void> {
  await statement(db.system, `DELETE FROM log_tails WHERE stored_at < now() - interval '${KEPT_DAYS} days'`);
}
