import type { MergedRun } from '@switchyard/core/lifecycle/merge-observation.ts';
import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { Queryable } from './database.ts';
import { fromMultirange, toMultirange } from './multirange.ts';

/** A run under the lock of its job. */
export type LockedRun = MergedRun & {
  readonly id: string;
  readonly jobId: string;
  readonly cluster: string;
  readonly attempt: number;
  readonly placementNumber: number;
  readonly wanted: 'withdraw' | 'cancel' | null;
  readonly observedEpoch: number;
  readonly observedCounter: number;
  readonly offeredAtMs: number;
  readonly placedAtMs: number | null;
  readonly endedAtMs: number | null;
};

/** All open runs of these jobs, the runs named, and of the jobs retried those that failed. */
export async function loadRuns(
  client: Queryable,
  jobIds: readonly string[],
  runIds: readonly string[],
  retriedJobIds: readonly string[],
): Promise<LockedRun[]> {
  const { rows } = await client.query<RunRow>({
    name: 'load-runs',
    text: `SELECT id, job_id, cluster, attempt, placement_number, tasks, state, outcome, reason, wanted, native_id, native_submitted_at,
       native_state, native_reason, started, ended_tasks, ends, stdout_path, stderr_path, observed_epoch, observed_counter,
       offered_at, placed_at, started_at, ended_at
     FROM runs WHERE job_id = ANY($1::uuid[])
       AND (state <> 'ended' OR id = ANY($2::uuid[]) OR (outcome = 'failed' AND job_id = ANY($3::uuid[])))`,
    values: [jobIds, runIds, retriedJobIds],
  });
  return rows.map(lockedRun);
}

/** Writes runs back in one statement. */
export async function saveRuns(client: Queryable, runs: readonly LockedRun[]): Promise<void> {
  if (runs.length === 0) return;
  const column = <Value>(pick: (run: LockedRun) => Value) => runs.map(pick);
  await client.query({
    name: 'save-runs',
    text: updateRuns,
    values: [
      column((run) => run.id),
      column((run) => run.state),
      column((run) => run.outcome),
      column((run) => run.reason),
      column((run) => run.wanted),
      column((run) => run.nativeId),
      column((run) => dateOf(run.nativeSubmittedAtMs)),
      column((run) => run.nativeState),
      column((run) => run.nativeReason),
      column((run) => toMultirange(run.started)),
      column((run) => toMultirange(run.endedTasks)),
      column((run) => JSON.stringify(run.ends)),
      column((run) => run.stdoutPath),
      column((run) => run.stderrPath),
      column((run) => run.observedEpoch),
      column((run) => run.observedCounter),
      column((run) => dateOf(run.placedAtMs)),
      column((run) => dateOf(run.startedAtMs)),
      column((run) => dateOf(run.endedAtMs)),
    ],
  });
}

const updateRuns = `
UPDATE runs r SET state = v.state, outcome = v.outcome, reason = v.reason, wanted = v.wanted, native_id = v.native_id,
  native_submitted_at = v.native_submitted_at, native_state = v.native_state, native_reason = v.native_reason,
  started = v.started::int4multirange, ended_tasks = v.ended_tasks::int4multirange, ends = v.ends, stdout_path = v.stdout_path,
  stderr_path = v.stderr_path, observed_epoch = v.observed_epoch, observed_counter = v.observed_counter,
  placed_at = v.placed_at, started_at = v.started_at, ended_at = v.ended_at,
  recorded_end_at = CASE WHEN v.state = 'ended' THEN coalesce(r.recorded_end_at, now()) END
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::text[], $10::text[],
  $11::text[], $12::jsonb[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::timestamptz[], $18::timestamptz[], $19::timestamptz[])
  AS v (id, state, outcome, reason, wanted, native_id, native_submitted_at, native_state, native_reason, started, ended_tasks, ends,
    stdout_path, stderr_path, observed_epoch, observed_counter, placed_at, started_at, ended_at)
WHERE r.id = v.id`;

type RunRow = {
  id: string;
  job_id: string;
  cluster: string;
  attempt: number;
  placement_number: number;
  tasks: string;
  state: LockedRun['state'];
  outcome: LockedRun['outcome'];
  reason: LockedRun['reason'];
  wanted: LockedRun['wanted'];
  native_id: string | null;
  native_submitted_at: Date | null;
  native_state: string | null;
  native_reason: string | null;
  started: string;
  ended_tasks: string;
  ends: TaskEnd[];
  stdout_path: string | null;
  stderr_path: string | null;
  observed_epoch: number;
  observed_counter: number;
  offered_at: Date;
  placed_at: Date | null;
  started_at: Date | null;
  ended_at: Date | null;
};

function lockedRun(row: RunRow): LockedRun {
  return {
    id: row.id,
    jobId: row.job_id,
    cluster: row.cluster,
    attempt: row.attempt,
    placementNumber: row.placement_number,
    tasks: fromMultirange(row.tasks),
    state: row.state,
    outcome: row.outcome,
    reason: row.reason,
    wanted: row.wanted,
    nativeId: row.native_id,
    nativeSubmittedAtMs: row.native_submitted_at?.getTime() ?? null,
    nativeState: row.native_state,
    nativeReason: row.native_reason,
    started: fromMultirange(row.started),
    endedTasks: fromMultirange(row.ended_tasks),
    ends: row.ends,
    stdoutPath: row.stdout_path,
    stderrPath: row.stderr_path,
    observedEpoch: row.observed_epoch,
    observedCounter: row.observed_counter,
    offeredAtMs: row.offered_at.getTime(),
    placedAtMs: row.placed_at?.getTime() ?? null,
    startedAtMs: row.started_at?.getTime() ?? null,
    endedAtMs: row.ended_at?.getTime() ?? null,
  };
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
