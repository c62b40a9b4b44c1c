import type { ApiClient } from '../api/api-client.ts';
import type { Job } from '../api/api-types.ts';
import { type Cli, type DefineCommand, say } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { Failure } from '../failure.ts';
import { ENDED } from '../format/job-words.ts';
import { plainText } from '../format/plain-text.ts';
import { parseWholeJobId } from '../job-id.ts';

/** `yard cancel`: asks for the end of every job named; one that cannot be cancelled does not keep the others. */
export const defineCancel: DefineCommand = (command, cli) => {
  command.argument('<job...>', 'numbers or ids').action(async (jobs: string[]) => {
    const ids = [...new Set(jobs.map(parseWholeJobId))];
    const client = await cli.connect();
    for (const id of ids) {
      const code = await cancel(cli, client, id);
      if (cli.exitCode === EXIT.ok) cli.exitCode = code;
    }
  });
};

async function cancel(cli: Cli, client: ApiClient, id: string): Promise<number> {
  try {
    const job = await client.put<Job>(`/v1/jobs/${id}/cancel`, {});
    say(cli, plainText(outcome(job)));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    say(cli, plainText(`job ${id}: ${error.message}`));
    return error.exitCode;
  }
}

function outcome(job: Job): string {
  if (job.state === 'cancelled') return `job ${job.number} cancelled`;
  if (ENDED.has(job.state)) return `job ${job.number} had already ended: ${job.state}`;
  return `job ${job.number} is being cancelled${job.cluster ? ` on ${job.cluster}` : ''}`;
}
