import { usage } from './failure.ts';

export type JobId = { readonly job: string; readonly task: number | null };

/** A job's number or UUID; `42_7` is task 7 of an array, as in Slurm. */
export function parseJobId(text: string): JobId {
  const match = /^(?:(\d{1,18})(?:_(\d{1,7}))?|([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}))$/i.exec(text);
  if (!match) throw usage(`'${text}' is not a job: give its number or its UUID.`, '`yard ps` lists the numbers.');
  return { job: (match[1] ?? match[3])!.toLowerCase(), task: match[2] === undefined ? null : Number(match[2]) };
}

/** The same, where a single task cannot be meant. */
export function parseWholeJobId(text: string): string {
  const { job, task } = parseJobId(text);
  if (task !== null)
    throw usage(`'${text}' names one task, and this command takes whole jobs.`, `Give ${job} for all its tasks.`);
  return job;
}
