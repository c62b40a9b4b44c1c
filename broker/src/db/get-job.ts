import type { Outcome, Reason, RunState, TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import { asPrincipal, type Viewer } from './as-principal.ts';
import type { Database, Queryable } from './database.ts';
import { type JobSummary, newestRun, type SummaryRow, summaryColumns, summaryOf } from './job-summary.ts';
import { fromMultirange } from './multirange.ts';

export type RunDetail = {
  readonly id: string;
  readonly cluster: string;
  readonly pool: string;
  readonly attempt: number;
  readonly placementNumber: number;
  readonly tasks: string;
  readonly state: RunState;
  readonly outcome: Outcome | null;
  readonly reason: Reason | null;
  readonly nativeId: string | null;
  readonly nativeState: string | null;
  readonly nativeReason: string | null;
  readonly started: string;
  readonly ends: readonly TaskEnd[];
  readonly stdoutPath: string | null;
  readonly stderrPath: string | null;
  readonly offeredAt: string;
  readonly placedAt: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** When the agent gave up what it held of it. */
  readonly forgottenAt: string | null;
  /** {scores, refusals} of the placement. */
  readonly explanation: unknown;
};

export type JobDetail = JobSummary & { readonly spec: JobSpec; readonly runs: readonly RunDetail[] };

/** One job by UUID or number, with its runs in the order they were placed; null when there is none that the viewer may see. */
export async function getJob(db: Database, viewer: Viewer, idOrNumber: string): Promise<JobDetail | null> {
  const column = keyColumn(idOrNumber);
  if (column === null) return null;
  return asPrincipal(db, viewer, async (client) => {
    const { rows } = await client.query<SummaryRow & { spec: JobSpec }>(
      `SELECT ${summaryColumns}, j.spec, run.* FROM jobs j ${newestRun} WHERE j.${column} = $1`,
      [idOrNumber],
    );
    const row = rows[0];
    return row ? { ...summaryOf(row), spec: row.spec, runs: await runsOf(client, row.id) } : null;
  });
}

/** Null: neither form, so no job has it. A number beyond bigint would be an error of the server. */
function keyColumn(idOrNumber: string): 'id' | 'number' | null {
  if (/^\d{1,18}$/.test(idOrNumber)) return 'number';
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(idOrNumber) ? 'id' : null;
}

async function runsOf(client: Queryable, jobId: string): Promise<RunDetail[]> {
  const { rows } = await client.query<RunRow>(
    `SELECT id, cluster, pool, attempt, placement_number, tasks, state, outcome, reason, native_id, native_state, native_reason,
       started, ends, stdout_path, stderr_path, offered_at, placed_at, started_at, ended_at, forgotten_at, explanation
     FROM runs WHERE job_id = $1 ORDER BY placement_number`,
    [jobId],
  );
  return rows.map(detailOf);
}

type RunRow = {
  id: string;
  cluster: string;
  pool: string;
  attempt: number;
  placement_number: number;
  tasks: string;
  state: RunState;
  outcome: Outcome | null;
  reason: Reason | null;
  native_id: string | null;
  native_state: string | null;
  native_reason: string | null;
  started: string;
  ends: TaskEnd[];
  stdout_path: string | null;
  stderr_path: string | null;
  offered_at: Date;
  placed_at: Date | null;
  started_at: Date | null;
  ended_at: Date | null;
  forgotten_at: Date | null;
  explanation: unknown;
};

function detailOf(row: RunRow): RunDetail {
  return {
    id: row.id,
    cluster: row.cluster,
    pool: row.pool,
    attempt: row.attempt,
    placementNumber: row.placement_number,
    tasks: formatRangeSet(fromMultirange(row.tasks)),
    state: row.state,
    outcome: row.outcome,
    reason: row.reason,
    nativeId: row.native_id,
    nativeState: row.native_state,
    nativeReason: row.native_reason,
    started: formatRangeSet(fromMultirange(row.started)),
    ends: row.ends,
    stdoutPath: row.stdout_path,
    stderrPath: row.stderr_path,
    offeredAt: row.offered_at.toISOString(),
    placedAt: row.placed_at?.toISOString() ?? null,
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: row.ended_at?.toISOString() ?? null,
    forgottenAt: row.forgotten_at?.toISOString() ?? null,
    explanation: row.explanation,
  };
}
