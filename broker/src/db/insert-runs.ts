import type { RangeSet } from '@switchyard/core/spec/range-set.ts';
import type { Queryable } from './database.ts';
import { toMultirange } from './multirange.ts';

export type NewRun = {
  readonly id: string;
  readonly jobId: string;
  readonly groupPath: string;
  readonly cluster: string;
  readonly pool: string;
  readonly attempt: number;
  readonly placementNumber: number;
  readonly tasks: RangeSet;
  /** What one task takes. */
  readonly size: { readonly cpus: number; readonly memoryMiB: number; readonly gpus: number };
  readonly explanation: unknown;
  readonly wanted?: 'cancel' | null;
};

/** New runs as offered, in one statement. */
export async function insertRuns(client: Queryable, runs: readonly NewRun[]): Promise<void> {
  if (runs.length === 0) return;
  const column = <Value>(pick: (run: NewRun) => Value) => runs.map(pick);
  await client.query({
    name: 'insert-runs',
    text: `INSERT INTO runs (id, job_id, group_path, cluster, pool, attempt, placement_number, tasks, size, explanation, wanted)
      SELECT id, job_id, group_path, cluster, pool, attempt, placement_number, tasks::int4multirange, size, explanation, wanted
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[], $8::text[], $9::jsonb[], $10::jsonb[], $11::text[])
        AS v (id, job_id, group_path, cluster, pool, attempt, placement_number, tasks, size, explanation, wanted)`,
    values: [
      column((run) => run.id),
      column((run) => run.jobId),
      column((run) => run.groupPath),
      column((run) => run.cluster),
      column((run) => run.pool),
      column((run) => run.attempt),
      column((run) => run.placementNumber),
      column((run) => toMultirange(run.tasks)),
      column((run) => JSON.stringify(run.size)),
      column((run) => JSON.stringify(run.explanation)),
      column((run) => run.wanted ?? null),
    ],
  });
}
