import type { Job } from '../api/api-types.ts';
import type { DefineCommand } from '../cli.ts';
import { ENDED } from '../format/job-words.ts';
import { eachJob } from './each-job.ts';

/** `yard cancel`: asks for the end of every job named; one that cannot be cancelled does not keep the others. */
export const defineCancel: DefineCommand = (command, cli) => {
  command
    .argument('<job...>', 'numbers or ids')
    .action((jobs: string[]) =>
      eachJob(cli, jobs, async (client, id) => outcome(await client.put<Job>(`/v1/jobs/${id}/cancel`, {}))),
    );
};

function outcome(job: Job): string {
  if (job.state === 'cancelled') return `job ${job.number} cancelled`;
  if (ENDED.has(job.state)) return `job ${job.number} had already ended: ${job.state}`;
  return `job ${job.number} is being cancelled${job.cluster ? ` on ${job.cluster}` : ''}`;
}
