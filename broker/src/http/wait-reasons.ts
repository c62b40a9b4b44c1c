import { place } from '@switchyard/core/placement/place.ts';
import type { JobSummary } from '../db/job-summary.ts';
import { loadSnapshot } from '../db/load-snapshot.ts';
import type { Parts } from './parts.ts';

/** Reasons are worked out for so many jobs of a page; the rest of it shows none. */
const MAX_JOBS = 100;
const HELD = 'it is held until it is released';

/** The jobs with the sentence that says what those without a place wait for, from placement itself on the present state. */
export async function withWaitReasons<Job extends JobSummary>(
  { db, placement }: Pick<Parts, 'db' | 'placement'>,
  jobs: readonly Job[],
): Promise<readonly Job[]> {
  const shown = jobs.map((job) => (job.state === 'held' ? { ...job, waitReason: HELD } : job));
  const jobIds = jobs
    .filter(({ state, tasks }) => state !== 'held' && (state === 'queued' || tasks.counts.queued > 0))
    .slice(0, MAX_JOBS);
  if (jobIds.length === 0) return shown;
  const snapshot = await loadSnapshot(db, { maxJobs: MAX_JOBS, jobIds: jobIds.map(({ id }) => id) });
  const { waits } = place(snapshot, snapshot.takenAtMs, { ...placement, limit: MAX_JOBS });
  const sentences = new Map(waits.map(({ jobId, sentence }) => [jobId, sentence]));
  return shown.map((job) => ({ ...job, waitReason: sentences.get(job.id) ?? job.waitReason }));
}
