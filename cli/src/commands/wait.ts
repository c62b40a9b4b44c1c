import type { DefineCommand } from '../cli.ts';
import { parseWholeJobId } from '../job-id.ts';
import { waitForJobs } from '../watch/wait-for-jobs.ts';

/** `yard wait`: exits with the code of the job; of several, with that of the first one that did not succeed. */
export const defineWait: DefineCommand = (command, cli) => {
  command
    .argument('<job...>', 'numbers or ids')
    .option('-q, --quiet', 'no words, no path: the exit code alone')
    .action(async (jobs: string[], options: { quiet?: true }) => {
      const ids = [...new Set(jobs.map(parseWholeJobId))];
      cli.exitCode = await waitForJobs(cli, await cli.connect(), ids, options);
    });
};
