import type { Job } from '../api/api-types.ts';
import type { DefineCommand } from '../cli.ts';
import { ENDED } from '../format/job-words.ts';
import { eachJob } from './each-job.ts';

/** `yard release`: lets every held job named into the queue. */
export const defineRelease: DefineCommand = (command, cli) => {
  command
    .argument('<job...>', 'numbers or ids')
    .action((jobs: string[]) =>
      eachJob(cli, jobs, async (client, id) => outcome(await client.put<Job>(`/v1/jobs/${id}/release`, {}))),
    );
};

function outcome({ number, state }: Job): string {
  return ENDED.has(state) ? `job ${number} had already ended: ${state}` : `job ${number} is ${state}`;
}
