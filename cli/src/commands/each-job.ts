import type { ApiClient } from '../api/api-client.ts';
import { type Cli, say } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { Failure } from '../failure.ts';
import { plainText } from '../format/plain-text.ts';
import { parseWholeJobId } from '../job-id.ts';

/** Asks for every job named and says what came of it; one that fails does not keep the others, and the first failure's code stays. */
export async function eachJob(
  cli: Cli,
  jobs: readonly string[],
  ask: (client: ApiClient, id: string) => Promise<string>,
): Promise<void> {
  const ids = [...new Set(jobs.map(parseWholeJobId))];
  const client = await cli.connect();
  for (const id of ids) {
    try {
      say(cli, plainText(await ask(client, id)));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      say(cli, plainText(`job ${id}: ${error.message}`));
      if (cli.exitCode === EXIT.ok) cli.exitCode = error.exitCode;
    }
  }
}
