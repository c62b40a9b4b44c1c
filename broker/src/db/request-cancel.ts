import type { Reason } from '@switchyard/core/lifecycle/vocabulary.ts';
import { formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import { audit } from './audit.ts';
import type { Database, Queryable } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { type LockedJob, lockJobs, saveJobs } from './locked-jobs.ts';
import { notify } from './notify.ts';
import { endTasks, refreshJob } from './settle-run.ts';

export type CancelRequest = {
  readonly jobId: string;
  readonly reason: Extract<Reason, 'cancelled_by_user' | 'cancelled_by_admin'>;
  /** For the audit: whose token. */
  readonly actor: string;
};

/** Ends the queued tasks at once and asks the clusters to end the rest. Who may see and cancel the job is the caller's question. Audited. */
export function requestCancel(
  db: Database,
  { jobId, reason, actor }: CancelRequest,
): Promise<'requested' | 'already_ended' | 'unknown'> {
  return inTransaction(db.system, async (client) => {
    const job = (await lockJobs(client, { jobIds: [jobId] })).get(jobId);
    if (job === undefined) return 'unknown';
    if (job.state === 'succeeded' || job.state === 'failed' || job.state === 'cancelled') return 'already_ended';
    const clusters = await wantCancelled(client, job, reason);
    cancelQueued(job, reason);
    refreshJob(job, Date.now());
    await saveJobs(client, [job]);
    await audit(client, { actor, action: 'job.cancel', subject: jobId, after: { reason } });
    await notify(client, { t: 'events' }, { t: 'jobs' }, ...clusters.map((c) => ({ t: 'runs' as const, c })));
    return 'requested';
  });
}

function cancelQueued(job: LockedJob, reason: CancelRequest['reason']): void {
  if (!job.cancelRequested) job.newEvents.push({ kind: 'cancel_requested', data: { reason } });
  job.cancelRequested = true;
  job.cancelReason ??= reason;
  const tasks = endTasks(job, job.queued, { outcome: 'cancelled', reason });
  if (tasks.length > 0)
    job.newEvents.push({ kind: 'tasks_ended', data: { outcome: 'cancelled', reason, tasks: formatRangeSet(tasks) } });
}

/** A cancel goes before a withdrawal. Gives the clusters that have to hear of it. */
async function wantCancelled(client: Queryable, job: LockedJob, reason: string): Promise<string[]> {
  const { rows } = await client.query<{ cluster: string }>(
    `UPDATE runs SET wanted = 'cancel', wanted_at = now(), wanted_reason = $2
     WHERE job_id = $1 AND state <> 'ended' RETURNING cluster`,
    [job.id, reason],
  );
  return [...new Set(rows.map((row) => row.cluster))];
}
