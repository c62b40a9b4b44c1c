import type { JobState, Reason } from '@switchyard/core/lifecycle/vocabulary.ts';
import { count, difference, formatRangeSet, type RangeSet, union } from '@switchyard/core/spec/range-set.ts';
import { fromMultirange } from './multirange.ts';
import { UNREACHABLE_AFTER_SECONDS } from './unreachable.ts';

/** A job as lists show it; times are ISO 8601 in UTC with milliseconds, task sets are text. */
export type JobSummary = {
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly group: string;
  readonly owner: string;
  readonly state: JobState;
  readonly reason: Reason | null;
  readonly detail: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly priority: number;
  readonly taskCount: number;
  readonly tasks: {
    readonly queued: string;
    readonly out: string;
    readonly succeeded: string;
    readonly failed: string;
    readonly cancelled: string;
    readonly counts: {
      readonly queued: number;
      readonly out: number;
      readonly running: number;
      readonly succeeded: number;
      readonly failed: number;
      readonly cancelled: number;
    };
  };
  readonly isArray: boolean;
  /** Of the newest run. */
  readonly cluster: string | null;
  readonly nativeId: string | null;
  readonly nativeState: string | null;
  readonly nativeReason: string | null;
  /** Something of it is out on a cluster that has not reported for 30 s. */
  readonly unreachable: boolean;
  /** Filled in by whoever holds a plan. */
  readonly waitReason: string | null;
  readonly createdAt: string;
  readonly stateSince: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly stdoutPath: string | null;
  readonly stderrPath: string | null;
};

/** Columns of jobs without the spec, which may be a megabyte and is not needed in a list. */
export const summaryColumns = `j.id, j.number, j.name, j.group_path, j.owner, j.state, j.reason, j.detail, j.exit_code, j.signal,
  j.priority, j.task_count, j.is_array, j.labels, j.tasks, j.queued, j.succeeded, j.failed, j.cancelled,
  j.created_at, j.state_since, j.started_at, j.ended_at`;

/** The newest run of each job `j`, and what its open runs say together: one look into runs_by_job per job. */
export const newestRun = `
LEFT JOIN LATERAL (
  SELECT (array_agg(r.cluster ORDER BY r.placement_number DESC))[1] AS cluster,
    (array_agg(r.native_id ORDER BY r.placement_number DESC))[1] AS native_id,
    (array_agg(r.native_state ORDER BY r.placement_number DESC))[1] AS native_state,
    (array_agg(r.native_reason ORDER BY r.placement_number DESC))[1] AS native_reason,
    (array_agg(r.stdout_path ORDER BY r.placement_number DESC))[1] AS stdout_path,
    (array_agg(r.stderr_path ORDER BY r.placement_number DESC))[1] AS stderr_path,
    sum((SELECT sum(upper(part) - lower(part)) FROM unnest(r.started - r.ended_tasks) AS part)) FILTER (WHERE r.state <> 'ended')::int AS running,
    coalesce(bool_or(r.state <> 'ended' AND NOT coalesce(c.last_seen_at > now() - interval '${UNREACHABLE_AFTER_SECONDS} s', false)), false) AS unreachable
  FROM runs r JOIN clusters c ON c.name = r.cluster WHERE r.job_id = j.id
) run ON true`;

export type SummaryRow = {
  id: string;
  number: number;
  name: string;
  group_path: string;
  owner: string;
  state: JobState;
  reason: Reason | null;
  detail: string | null;
  exit_code: number | null;
  signal: string | null;
  priority: number;
  task_count: number;
  is_array: boolean;
  labels: Record<string, string>;
  tasks: string;
  queued: string;
  succeeded: string;
  failed: string;
  cancelled: string;
  created_at: Date;
  state_since: Date;
  started_at: Date | null;
  ended_at: Date | null;
  cluster: string | null;
  native_id: string | null;
  native_state: string | null;
  native_reason: string | null;
  stdout_path: string | null;
  stderr_path: string | null;
  /** Tasks that have started and not ended. */
  running: number | null;
  unreachable: boolean;
};

/** How a job ended is kept up with its first ends already, and shown once it has ended. */
export function summaryOf(row: SummaryRow): JobSummary {
  const hasEnded = row.state === 'succeeded' || row.state === 'failed' || row.state === 'cancelled';
  return {
    id: row.id,
    number: row.number,
    name: row.name,
    group: row.group_path,
    owner: row.owner,
    state: row.state,
    reason: hasEnded ? row.reason : null,
    detail: hasEnded ? row.detail : null,
    exitCode: hasEnded ? row.exit_code : null,
    signal: hasEnded ? row.signal : null,
    priority: row.priority,
    taskCount: row.task_count,
    tasks: tasksOf(row),
    isArray: row.is_array,
    cluster: row.cluster,
    nativeId: row.native_id,
    nativeState: row.native_state,
    nativeReason: row.native_reason,
    unreachable: row.unreachable,
    waitReason: null,
    createdAt: row.created_at.toISOString(),
    stateSince: row.state_since.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: hasEnded ? (row.ended_at?.toISOString() ?? null) : null,
    labels: row.labels,
    stdoutPath: row.stdout_path,
    stderrPath: row.stderr_path,
  };
}

function tasksOf(row: SummaryRow): JobSummary['tasks'] {
  const sets = {
    queued: fromMultirange(row.queued),
    succeeded: fromMultirange(row.succeeded),
    failed: fromMultirange(row.failed),
    cancelled: fromMultirange(row.cancelled),
  };
  const out = difference(fromMultirange(row.tasks), union(...Object.values(sets)));
  const all = { ...sets, out };
  return { ...mapValues(all, formatRangeSet), counts: { ...mapValues(all, count), running: row.running ?? 0 } };
}

function mapValues<Key extends string, Value>(
  sets: Readonly<Record<Key, RangeSet>>,
  map: (set: RangeSet) => Value,
): Record<Key, Value> {
  return Object.fromEntries(Object.entries<RangeSet>(sets).map(([key, set]) => [key, map(set)])) as Record<Key, Value>;
}
