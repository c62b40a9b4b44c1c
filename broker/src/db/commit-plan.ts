import { requestOf } from '@switchyard/core/placement/resources.ts';
import type { Placement, Plan } from '@switchyard/core/placement/snapshot.ts';
import { count, difference, formatRangeSet, union } from '@switchyard/core/spec/range-set.ts';
import type { Database, Queryable } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { insertRuns, type NewRun } from './insert-runs.ts';
import { isStillLeader } from './leader-lease.ts';
import { type LockedJob, lockJobs, saveJobs } from './locked-jobs.ts';
import { newLockedRun } from './new-locked-run.ts';
import { notify } from './notify.ts';
import { endTasks, refreshJob } from './settle-run.ts';

export type PlanCommit = {
  readonly placed: readonly { readonly runId: string; readonly jobId: string; readonly cluster: string }[];
  /** Lines that were no longer true, and why. */
  readonly refused: readonly { readonly jobId: string; readonly cluster: string; readonly why: string }[];
  /** Jobs that can never start: their queued tasks have ended. */
  readonly ended: readonly string[];
};

/** Stores what of a plan is still true: runs offered under new placement numbers. Null: this leader is no longer the leader, nothing was stored. */
export function commitPlan(
  db: Database,
  plan: Plan,
  leader: { epoch: number; newRunId: () => string },
): Promise<PlanCommit | null> {
  return inTransaction(db.system, async (client) => {
    if (!(await isStillLeader(client, leader.epoch))) return null;
    const federation = await lockFederation(client);
    const open = await openClusters(client, plan);
    const jobIds = [...plan.placements, ...plan.dead].map((line) => line.jobId);
    const jobs = await lockJobs(client, { jobIds: [...new Set(jobIds)] });
    const runs: NewRun[] = [];
    const refused: { jobId: string; cluster: string; why: string }[] = [];
    for (const placement of plan.placements) {
      const { jobId, cluster } = placement;
      const why = federation.pausedReason ?? whyNot(placement, jobs.get(jobId), open);
      if (why !== null) refused.push({ jobId, cluster, why });
      else
        runs.push(place(jobs.get(jobId)!, placement, leader.newRunId(), federation.placementNumber + runs.length + 1));
    }
    const ended =
      federation.pausedReason === null ? plan.dead.filter((line) => endDead(jobs.get(line.jobId), line)) : [];
    const changed = [...jobs.values()].filter((job) => job.newEvents.length > 0);
    for (const job of changed) refreshJob(job, federation.nowMs);
    await insertRuns(client, runs);
    await saveJobs(client, changed);
    await countPlacements(client, runs);
    await tell(client, runs, changed);
    return {
      placed: runs.map(({ id, jobId, cluster }) => ({ runId: id, jobId, cluster })),
      refused,
      ended: ended.map((line) => line.jobId),
    };
  });
}

async function lockFederation(client: Queryable) {
  const { rows } = await client.query<{ placement_number: number; paused_reason: string | null; now: Date }>(
    'SELECT placement_number, paused_reason, now() AS now FROM federation WHERE id = 1 FOR NO KEY UPDATE',
  );
  const row = rows[0]!;
  return { placementNumber: row.placement_number, pausedReason: row.paused_reason, nowMs: row.now.getTime() };
}

async function openClusters(client: Queryable, plan: Plan): Promise<ReadonlySet<string>> {
  const names = [...new Set(plan.placements.map((placement) => placement.cluster))];
  const { rows } = await client.query<{ name: string; admission: string }>(
    'SELECT name, admission FROM clusters WHERE name = ANY($1::text[]) ORDER BY name FOR SHARE',
    [names],
  );
  return new Set(rows.filter((row) => row.admission === 'active').map((row) => row.name));
}

function whyNot(placement: Placement, job: LockedJob | undefined, open: ReadonlySet<string>): string | null {
  if (!open.has(placement.cluster)) return 'the cluster takes no new work any more';
  if (job === undefined) return 'the job is gone';
  if (job.cancelRequested) return 'the job was cancelled';
  if (job.state === 'held') return 'the job is held';
  if (placement.tasks.length === 0 || difference(placement.tasks, job.queued).length > 0)
    return 'some of its tasks are not queued any more';
  const out = difference(job.tasks, union(job.queued, job.succeeded, job.failed, job.cancelled));
  if (job.maxRunning !== null && count(out) + count(placement.tasks) > job.maxRunning)
    return 'more of its tasks would be out than it allows';
  return null;
}

/** Takes the tasks out of the queue, so that the next line of the plan is judged against what is left. */
function place(job: LockedJob, placement: Placement, id: string, placementNumber: number): NewRun {
  const { cluster, pool, tasks, scores, refusals } = placement;
  const { cpus, memoryMiB, gpus } = requestOf(job);
  const attempt = job.attempts + 1;
  const run: NewRun = {
    ...{ id, jobId: job.id, groupPath: job.groupPath, cluster, pool, attempt, placementNumber, tasks },
    ...{ size: { cpus, memoryMiB, gpus }, explanation: { scores, refusals } },
  };
  job.queued = difference(job.queued, tasks);
  job.runs.set(id, newLockedRun(run));
  job.newEvents.push({ kind: 'placing', data: { runId: id, cluster, pool, attempt, tasks: formatRangeSet(tasks) } });
  return run;
}

/** As Slurm has it: a deadline that passes is a failure, a dependency that can never be met cancels (sbatch(1), --kill-on-invalid-dep). */
function endDead(job: LockedJob | undefined, { reason, sentence }: Plan['dead'][number]): boolean {
  if (job === undefined) return false;
  const outcome = reason === 'deadline' ? 'failed' : 'cancelled';
  const tasks = endTasks(job, job.queued, { outcome, reason, detail: sentence });
  if (tasks.length === 0) return false;
  const data = { outcome, reason, detail: sentence, tasks: formatRangeSet(tasks) };
  job.newEvents.push({ kind: 'tasks_ended', data });
  return true;
}

async function countPlacements(client: Queryable, runs: readonly NewRun[]): Promise<void> {
  if (runs.length === 0) return;
  await client.query('UPDATE federation SET placement_number = $1 WHERE id = 1', [runs.at(-1)!.placementNumber]);
  const tasks = new Map<string, number>();
  for (const run of runs) tasks.set(run.cluster, (tasks.get(run.cluster) ?? 0) + count(run.tasks));
  await client.query(
    `INSERT INTO placement_counts (cluster, tasks) SELECT * FROM unnest($1::text[], $2::bigint[])
     ON CONFLICT (cluster) DO UPDATE SET tasks = placement_counts.tasks + excluded.tasks`,
    [[...tasks.keys()], [...tasks.values()]],
  );
}

async function tell(client: Queryable, runs: readonly NewRun[], changed: readonly LockedJob[]): Promise<void> {
  if (changed.length === 0) return;
  const clusters = [...new Set(runs.map((run) => run.cluster))];
  const hasEnds = changed.some((job) => job.endedAtMs !== null);
  await notify(
    client,
    { t: 'events' },
    ...clusters.map((cluster) => ({ t: 'runs' as const, c: cluster })),
    // Jobs may depend on those that just ended.
    ...(hasEnds ? [{ t: 'jobs' as const }] : []),
  );
}
