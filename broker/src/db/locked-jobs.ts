import type { JobState, Reason } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { count, type RangeSet } from '@switchyard/core/spec/range-set.ts';
import type { Queryable } from './database.ts';
import type { JobEvent } from './job-events.ts';
import { type LockedRun, loadRuns } from './locked-runs.ts';
import { fromMultirange, toMultirange } from './multirange.ts';

/** A job whose row this transaction holds, with all its open runs: nobody else changes any of them until the commit. */
export type LockedJob = {
  readonly id: string;
  readonly groupPath: string;
  readonly tasks: RangeSet;
  held: boolean;
  readonly maxRunning: number | null;
  readonly resources: JobSpec['resources'];
  readonly rerunnable: boolean;
  readonly retry: JobSpec['retry'];
  state: JobState;
  queued: RangeSet;
  succeeded: RangeSet;
  failed: RangeSet;
  cancelled: RangeSet;
  cancelRequested: boolean;
  cancelReason: Reason | null;
  attempts: number;
  refusals: number;
  avoidClusters: readonly string[];
  notBeforeMs: number | null;
  startedAtMs: number | null;
  endedAtMs: number | null;
  /** The worst of the ends so far that are final; shown once the job has ended. */
  reason: Reason | null;
  exitCode: number | null;
  signal: string | null;
  detail: string | null;
  eventCount: number;
  readonly newEvents: { kind: JobEvent['kind']; data: Record<string, unknown> }[];
  /** By id: every open run, those that were asked for by name, and those that failed of an array whose tasks are tried again. */
  readonly runs: Map<string, LockedRun>;
};

/**
 * Locks jobs, in the order of their ids, and loads their runs. The one order of locks everywhere is: leader lease, federation, clusters,
 * jobs. A run changes only under the lock of its job, so runs need none of their own.
 */
export async function lockJobs(
  client: Queryable,
  which: { jobIds?: readonly string[]; runIds?: readonly string[] },
): Promise<Map<string, LockedJob>> {
  const { jobIds = [], runIds = [] } = which;
  const { rows } = await client.query<JobRow>({
    name: 'lock-jobs',
    text: `SELECT id, group_path, tasks, held, max_running, spec->'resources' AS resources, spec->'rerunnable' AS rerunnable,
       spec->'retry' AS retry, state, queued, succeeded, failed, cancelled, cancel_requested_at, cancel_reason, attempts, refusals,
       avoid_clusters, not_before, started_at, ended_at, reason, exit_code, signal, detail, event_count
     FROM jobs WHERE id IN (SELECT unnest($1::uuid[]) UNION SELECT job_id FROM runs WHERE id = ANY($2::uuid[]))
     ORDER BY id FOR NO KEY UPDATE`,
    values: [jobIds, runIds],
  });
  const jobs = new Map(rows.map((row) => [row.id, lockedJob(row)]));
  // What tasks of an array have had before this attempt stands only in its runs that failed.
  const retried = [...jobs.values()].filter((job) => job.attempts > 0 && count(job.tasks) > 1).map((job) => job.id);
  for (const run of await loadRuns(client, [...jobs.keys()], runIds, retried))
    jobs.get(run.jobId)!.runs.set(run.id, run);
  return jobs;
}

/** Writes jobs back and appends their events: two statements, however many they are. */
export async function saveJobs(client: Queryable, jobs: readonly LockedJob[]): Promise<void> {
  if (jobs.length === 0) return;
  const events = jobs.flatMap((job) => numberEvents(job));
  const column = <Value>(pick: (job: LockedJob) => Value) => jobs.map(pick);
  await client.query({
    name: 'save-jobs',
    text: updateJobs,
    values: [
      column((job) => job.id),
      column((job) => job.state),
      column((job) => toMultirange(job.queued)),
      column((job) => toMultirange(job.succeeded)),
      column((job) => toMultirange(job.failed)),
      column((job) => toMultirange(job.cancelled)),
      column((job) => job.cancelRequested),
      column((job) => job.cancelReason),
      column((job) => job.attempts),
      column((job) => job.refusals),
      column((job) => JSON.stringify(job.avoidClusters)),
      column((job) => dateOf(job.notBeforeMs)),
      column((job) => dateOf(job.startedAtMs)),
      column((job) => dateOf(job.endedAtMs)),
      column((job) => job.reason),
      column((job) => job.exitCode),
      column((job) => job.signal),
      column((job) => job.detail),
      column((job) => job.eventCount),
      column((job) => job.held),
    ],
  });
  if (events.length > 0)
    await client.query({
      name: 'append-events',
      text: `INSERT INTO events (job_id, sequence, group_path, kind, data)
        SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::jsonb[])`,
      values: [
        events.map((event) => event.jobId),
        events.map((event) => event.sequence),
        events.map((event) => event.groupPath),
        events.map((event) => event.kind),
        events.map((event) => JSON.stringify(event.data)),
      ],
    });
}

const updateJobs = `
UPDATE jobs j SET state = v.state, state_since = CASE WHEN j.state = v.state THEN j.state_since ELSE now() END,
  queued = v.queued::int4multirange, succeeded = v.succeeded::int4multirange, failed = v.failed::int4multirange, cancelled = v.cancelled::int4multirange,
  cancel_requested_at = CASE WHEN v.cancel_requested THEN coalesce(j.cancel_requested_at, now()) END, cancel_reason = v.cancel_reason,
  attempts = v.attempts, refusals = v.refusals, avoid_clusters = v.avoid_clusters, not_before = v.not_before,
  started_at = v.started_at, ended_at = v.ended_at, reason = v.reason, exit_code = v.exit_code, signal = v.signal, detail = v.detail,
  event_count = v.event_count, held = v.held
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::text[], $9::int[], $10::int[], $11::jsonb[],
  $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::text[], $16::int[], $17::text[], $18::text[], $19::int[], $20::bool[])
  AS v (id, state, queued, succeeded, failed, cancelled, cancel_requested, cancel_reason, attempts, refusals, avoid_clusters,
    not_before, started_at, ended_at, reason, exit_code, signal, detail, event_count, held)
WHERE j.id = v.id`;

/** Events are numbered per job under its lock: no gap, no repeat. */
function numberEvents(job: LockedJob) {
  return job.newEvents.splice(0).map((event) => {
    job.eventCount += 1;
    return { jobId: job.id, groupPath: job.groupPath, sequence: job.eventCount, ...event };
  });
}

type JobRow = {
  id: string;
  group_path: string;
  tasks: string;
  held: boolean;
  max_running: number | null;
  resources: JobSpec['resources'];
  rerunnable: boolean;
  retry: JobSpec['retry'];
  state: JobState;
  queued: string;
  succeeded: string;
  failed: string;
  cancelled: string;
  cancel_requested_at: Date | null;
  cancel_reason: Reason | null;
  attempts: number;
  refusals: number;
  avoid_clusters: string[];
  not_before: Date | null;
  started_at: Date | null;
  ended_at: Date | null;
  reason: Reason | null;
  exit_code: number | null;
  signal: string | null;
  detail: string | null;
  event_count: number;
};

function lockedJob(row: JobRow): LockedJob {
  return {
    id: row.id,
    groupPath: row.group_path,
    tasks: fromMultirange(row.tasks),
    held: row.held,
    maxRunning: row.max_running,
    resources: row.resources,
    rerunnable: row.rerunnable,
    retry: row.retry,
    state: row.state,
    queued: fromMultirange(row.queued),
    succeeded: fromMultirange(row.succeeded),
    failed: fromMultirange(row.failed),
    cancelled: fromMultirange(row.cancelled),
    cancelRequested: row.cancel_requested_at !== null,
    cancelReason: row.cancel_reason,
    attempts: row.attempts,
    refusals: row.refusals,
    avoidClusters: row.avoid_clusters,
    notBeforeMs: row.not_before?.getTime() ?? null,
    startedAtMs: row.started_at?.getTime() ?? null,
    endedAtMs: row.ended_at?.getTime() ?? null,
    reason: row.reason,
    exitCode: row.exit_code,
    signal: row.signal,
    detail: row.detail,
    eventCount: row.event_count,
    newEvents: [],
    runs: new Map(),
  };
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
