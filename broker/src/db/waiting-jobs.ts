import type { WaitingJob } from '@switchyard/core/placement/snapshot.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { count, difference, union } from '@switchyard/core/spec/range-set.ts';
import type { Queryable } from './database.ts';
import { dependencyStates } from './dependency-states.ts';
import { fromMultirange } from './multirange.ts';

/** A place in the queue: priority, then number. */
export type QueuePosition = { readonly priority: number; readonly number: number };

/** Jobs with tasks to place, in queue order. Script, command and environment stay behind: they may be megabytes and placement never looks at them. */
export async function waitingJobs(
  client: Queryable,
  { maxJobs, jobIds, after: begin }: { maxJobs: number; jobIds?: readonly string[]; after?: QueuePosition },
): Promise<WaitingJob[]> {
  const found: WaitingJob[] = [];
  let runnable = 0;
  let after = begin;
  for (let page = 0; page < MAX_PAGES && runnable < maxJobs; page += 1) {
    const jobs = await readPage(client, maxJobs, jobIds, after);
    found.push(...jobs);
    runnable += jobs.filter((job) => job.dependency !== 'unmet').length;
    after = jobs.at(-1) ?? after;
    if (jobs.length < maxJobs) break;
  }
  return found;
}

/** Jobs that wait for others must not hide those behind them; with so many of them the rest has to wait all the same. */
const MAX_PAGES = 10;

export const waitingJobColumns = `j.id, j.number, j.group_path, j.owner, j.priority, j.created_at,
  j.spec - '{script,command,env}'::text[] AS spec, j.is_array, j.tasks, j.queued, j.succeeded, j.failed, j.cancelled,
  j.max_running, j.not_before, j.avoid_clusters`;

export type WaitingRow = {
  id: string;
  number: number;
  group_path: string;
  owner: string;
  priority: number;
  created_at: Date;
  spec: Omit<JobSpec, 'env'>;
  is_array: boolean;
  tasks: string;
  queued: string;
  succeeded: string;
  failed: string;
  cancelled: string;
  max_running: number | null;
  not_before: Date | null;
  avoid_clusters: string[];
};

export function waitingJob(row: WaitingRow, dependency: WaitingJob['dependency']): WaitingJob {
  const queued = fromMultirange(row.queued);
  const ended = [row.succeeded, row.failed, row.cancelled].map(fromMultirange);
  return {
    id: row.id,
    number: row.number,
    groupPath: row.group_path,
    owner: row.owner,
    priority: row.priority,
    createdAtMs: row.created_at.getTime(),
    spec: { ...row.spec, env: {} },
    isArray: row.is_array,
    queued,
    outTasks: count(difference(fromMultirange(row.tasks), union(queued, ...ended))),
    maxRunning: row.max_running,
    notBeforeMs: row.not_before?.getTime() ?? null,
    avoidClusters: row.avoid_clusters,
    dependency,
  };
}

/** The order is the index jobs_waiting: priority, then number, which is age. */
async function readPage(
  client: Queryable,
  limit: number,
  jobIds: readonly string[] | undefined,
  after: QueuePosition | undefined,
): Promise<WaitingJob[]> {
  const values: unknown[] = [limit];
  const bind = (value: unknown) => `$${values.push(value)}`;
  // Backoff and start times are left to time, not looked at again in every cycle; who asks for a job by id wants to hear of them.
  const which = jobIds ? `j.id = ANY(${bind(jobIds)}::uuid[])` : '(j.not_before IS NULL OR j.not_before <= now())';
  const priority = after && bind(after.priority);
  const behind = after
    ? `j.priority <= ${priority} AND (j.priority < ${priority} OR j.number > ${bind(after.number)})`
    : 'true';
  const { rows } = await client.query<WaitingRow>(
    `SELECT ${waitingJobColumns} FROM jobs j
     WHERE j.state IN ('queued', 'placing', 'placed', 'running') AND j.queued <> '{}' AND ${which} AND ${behind}
     ORDER BY j.priority DESC, j.number LIMIT $1`,
    values,
  );
  const dependencies = await dependencyStates(client, rows);
  return rows.map((row) => waitingJob(row, dependencies.get(row.id) ?? 'met'));
}
