import { audit } from './audit.ts';
import type { Database } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { lockJobs, saveJobs } from './locked-jobs.ts';
import { notify } from './notify.ts';
import { refreshJob } from './settle-run.ts';

/** Lets a held job into the queue. Who may see and release it is the caller's question. Audited. */
export function releaseJob(
  db: Database,
  { jobId, actor }: { jobId: string; actor: string },
): Promise<'released' | 'not_held' | 'unknown'> {
  return inTransaction(db.system, async (client) => {
    const job = (await lockJobs(client, { jobIds: [jobId] })).get(jobId);
    if (job === undefined) return 'unknown';
    if (!job.held || job.state === 'succeeded' || job.state === 'failed' || job.state === 'cancelled')
      return 'not_held';
    job.held = false;
    job.newEvents.push({ kind: 'released', data: {} });
    refreshJob(job, Date.now());
    await saveJobs(client, [job]);
    await audit(client, { actor, action: 'job.release', subject: jobId });
    await notify(client, { t: 'events' }, { t: 'jobs' });
    return 'released';
  });
}
