import type { Database } from './database.ts';
import { inTransaction, statement } from './in-transaction.ts';
import { notify } from './notify.ts';

export type LogRead = {
  readonly id: string;
  readonly cluster: string;
  readonly runId: string;
  readonly task: number;
  readonly rank: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly limitBytes: number;
  /** How long the agent waits for new bytes. */
  readonly waitMs: number;
  /** After that nobody waits for the answer. */
  readonly wantedForMs: number;
};

export type LogChunk = {
  readonly offset: number;
  readonly data: Buffer;
  readonly end: boolean;
  /** Empty when all is well. */
  readonly problem: string;
};

/** Asks the session of the cluster for a piece of output. Visibility of the run is the caller's question (getJob). */
export function createLogRead(db: Database, read: LogRead): Promise<void> {
  return inTransaction(db.system, async (client) => {
    await client.query(
      `INSERT INTO log_reads (id, cluster, run_id, task, rank, stream, byte_offset, byte_limit, wait_ms, wanted_until)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10 * interval '1 ms')`,
      [
        read.id,
        read.cluster,
        read.runId,
        read.task,
        read.rank,
        read.stream,
        read.offset,
        read.limitBytes,
        read.waitMs,
        read.wantedForMs,
      ],
    );
    await notify(client, { t: 'runs', c: read.cluster });
  });
}

/** Keeps an answer for whichever replica waits for it; notifies {"t":"logs","id"}. One that nobody wants any more is dropped. */
export function saveLogChunk(db: Database, cluster: string, readId: string, chunk: LogChunk): Promise<void> {
  return inTransaction(db.system, async (client) => {
    const { rowCount } = await client.query(
      `WITH read AS (DELETE FROM log_reads WHERE id = $1 AND cluster = $2 RETURNING wanted_until)
       INSERT INTO log_chunks (read_id, byte_offset, data, is_end, problem)
       SELECT $1, $3, $4, $5, $6 FROM read WHERE wanted_until > now()
       ON CONFLICT (read_id) DO NOTHING`,
      [readId, cluster, chunk.offset, chunk.data, chunk.end, chunk.problem],
    );
    if (rowCount === 1) await notify(client, { t: 'logs', id: readId });
  });
}

/** Takes the answer, once; null while there is none. */
export async function takeLogChunk(db: Database, readId: string): Promise<LogChunk | null> {
  const { rows } = await statement<{ byte_offset: string; data: Buffer; is_end: boolean; problem: string }>(
    db.system,
    'DELETE FROM log_chunks WHERE read_id = $1 RETURNING byte_offset, data, is_end, problem',
    [readId],
  );
  const row = rows[0];
  return row ? { offset: Number(row.byte_offset), data: row.data, end: row.is_end, problem: row.problem } : null;
}

/** Removes reads and answers that nobody waits for; now and then. */
export async function purgeLogReads(db: Database): Promise<void> {
  await statement(
    db.system,
    `WITH late AS (DELETE FROM log_reads WHERE wanted_until < now())
     DELETE FROM log_chunks WHERE arrived_at < now() - interval '2 minutes'`,
  );
}
