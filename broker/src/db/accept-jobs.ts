import { rangeSet } from '@switchyard/core/spec/range-set.ts';
import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';
import { toMultirange } from './multirange.ts';

export type JobToAccept = {
  /** UUIDv7. */
  readonly id: string;
  /** Whose idempotency keys these are: the token's id. */
  readonly principal: string;
  readonly groupPath: string;
  readonly owner: string;
  readonly name: string;
  /** Canonical JSON of the resolved spec, and its lower-case hex SHA-256. */
  readonly specJson: string;
  readonly specHash: string;
  readonly priority: number;
  readonly taskCount: number;
  /** Range set in text form. */
  readonly tasks: string;
  readonly isArray: boolean;
  readonly maxRunning: number | null;
  readonly held: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** The spec's startAfter: until then the job is not even looked at. */
  readonly notBeforeMs: number | null;
  readonly idempotencyKey: string | null;
  /** Compared when the key was used before; with a key it must not be null. */
  readonly bodyHash: string | null;
};

export type Acceptance =
  | { readonly kind: 'accepted'; readonly id: string; readonly number: number; readonly createdAt: Date }
  /** The key was used before with the same body: nothing was stored. */
  | { readonly kind: 'replayed'; readonly id: string; readonly number: number }
  /** The key was used before with another body. */
  | { readonly kind: 'conflict' };

/** Stores all jobs in one transaction and answers in their order. */
export async function acceptJobs(db: Database, batch: readonly JobToAccept[]): Promise<Acceptance[]> {
  if (batch.length === 0) return [];
  const stored = await statement<StoredRow>(db.system, insertJobs, columns(batch));
  const accepted = new Map(stored.rows.map((row) => [row.id, row]));
  const repeated = batch.filter((job) => !accepted.has(job.id));
  const earlier = repeated.length > 0 ? await earlierJobs(db, repeated) : new Map<string, EarlierRow>();
  return batch.map((job) => {
    const row = accepted.get(job.id);
    if (row) return { kind: 'accepted', id: job.id, number: row.number, createdAt: row.created_at };
    const first = earlier.get(keyOf(job.principal, job.idempotencyKey!));
    if (!first || first.body_hash !== job.bodyHash) return { kind: 'conflict' };
    return { kind: 'replayed', id: first.job_id, number: first.number };
  });
}

type StoredRow = { id: string; number: number; created_at: Date };
type EarlierRow = { principal: string; key: string; body_hash: string; job_id: string; number: number };

/**
 * One statement is one transaction and one round trip. A key that another transaction is storing at this moment makes this one
 * wait for its commit; keys are taken in one order, so that two batches cannot wait for each other. Only the winner of its key
 * becomes a job. Numbers follow the order of the batch.
 */
const insertJobs = `
WITH input AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::int[],
    $10::text[], $11::bool[], $12::int[], $13::bool[], $14::text[], $15::timestamptz[], $16::text[], $17::text[])
  WITH ORDINALITY AS t (id, principal, group_path, owner, name, spec, spec_hash, priority, task_count,
    tasks, is_array, max_running, held, labels, not_before, key, body_hash, at_index)
), won AS (
  INSERT INTO idempotency_keys (principal, key, body_hash, job_id)
  SELECT principal, key, body_hash, id FROM input WHERE key IS NOT NULL ORDER BY principal, key, at_index
  ON CONFLICT DO NOTHING RETURNING job_id
), stored AS (
  INSERT INTO jobs (id, group_path, owner, name, spec, spec_hash, priority, state, task_count, is_array, labels, max_running,
    tasks, queued, held, not_before, event_count)
  SELECT id, group_path, owner, name, spec::jsonb, spec_hash, priority, CASE WHEN held THEN 'held' ELSE 'queued' END,
    task_count, is_array, labels::jsonb, max_running, tasks::int4multirange, tasks::int4multirange, held, not_before, 1
  FROM input WHERE key IS NULL OR id IN (SELECT job_id FROM won) ORDER BY at_index
  RETURNING id, number, group_path, created_at
), labelled AS (
  INSERT INTO job_labels (key, value, number, group_path)
  SELECT label.key, label.value, stored.number, stored.group_path
  FROM stored JOIN input USING (id) CROSS JOIN jsonb_each_text(input.labels::jsonb) AS label WHERE input.labels <> '{}'
), events AS (
  INSERT INTO events (job_id, sequence, at, group_path, kind) SELECT id, 1, created_at, group_path, 'submitted' FROM stored
)
SELECT id, number, created_at, (SELECT pg_notify('switchyard', '{"t":"jobs"}')) FROM stored`;

/** What stands under the keys of these jobs, by `keyOf`. */
export async function earlierJobs(
  db: Database,
  repeated: readonly JobToAccept[],
): Promise<ReadonlyMap<string, EarlierRow>> {
  const { rows } = await statement<EarlierRow>(
    db.system,
    `SELECT k.principal, k.key, k.body_hash, k.job_id, j.number
     FROM unnest($1::text[], $2::text[]) AS asked (principal, key)
     JOIN idempotency_keys k USING (principal, key) JOIN jobs j ON j.id = k.job_id`,
    [repeated.map((job) => job.principal), repeated.map((job) => job.idempotencyKey)],
  );
  return new Map(rows.map((row) => [keyOf(row.principal, row.key), row]));
}

export function keyOf(principal: string, key: string): string {
  return JSON.stringify([principal, key]);
}

function columns(batch: readonly JobToAccept[]): unknown[] {
  const column = <Value>(pick: (job: JobToAccept) => Value) => batch.map(pick);
  return [
    column((job) => job.id),
    column((job) => job.principal),
    column((job) => job.groupPath),
    column((job) => job.owner),
    column((job) => job.name),
    column((job) => job.specJson),
    column((job) => job.specHash),
    column((job) => job.priority),
    column((job) => job.taskCount),
    column((job) => toMultirange(rangeSet(job.tasks))),
    column((job) => job.isArray),
    column((job) => job.maxRunning),
    column((job) => job.held),
    column((job) => JSON.stringify(job.labels)),
    column((job) => (job.notBeforeMs === null ? null : new Date(job.notBeforeMs))),
    column((job) => job.idempotencyKey),
    column((job) => job.bodyHash),
  ];
}
