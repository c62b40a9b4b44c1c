import { earlierJobs, type JobToAccept, keyOf } from './accept-jobs.ts';
import type { Database } from './database.ts';

/** The jobs that were stored before under these very keys and bodies, in order; null unless all of them were. */
export async function acceptedBefore(
  db: Database,
  jobs: readonly JobToAccept[],
): Promise<{ id: string; number: number }[] | null> {
  if (jobs.some((job) => job.idempotencyKey === null)) return null;
  const earlier = await earlierJobs(db, jobs);
  const found = jobs.map((job) => {
    const row = earlier.get(keyOf(job.principal, job.idempotencyKey!));
    return row?.body_hash === job.bodyHash ? [{ id: row.job_id, number: row.number }] : [];
  });
  return found.every((each) => each.length === 1) ? found.flat() : null;
}
