import type { ApiClient } from '../api/api-client.ts';
import type { JobEvent, Page } from '../api/api-types.ts';
import type { Cli, DefineCommand } from '../cli.ts';
import { type Format, outputOption, printDocument, printListing } from '../format/output.ts';
import { plainText } from '../format/plain-text.ts';
import type { Column } from '../format/table.ts';
import { parseWholeJobId } from '../job-id.ts';
import { steadyEvents } from '../watch/steady-events.ts';
import { untilInterrupted } from '../watch/until-interrupted.ts';

/** `yard events`: what happened to a job, oldest first. */
export const defineEvents: DefineCommand = (command, cli) => {
  command
    .argument('<job>', 'number or id')
    .option('-f, --follow', 'go on until the job has ended')
    .addOption(outputOption())
    .action(async (job: string, options: { follow?: true; output: Format }) => {
      const client = await cli.connect();
      const path = `/v1/jobs/${parseWholeJobId(job)}/events`;
      if (options.follow) await untilInterrupted(cli, (signal) => follow(cli, client, path, options.output, signal));
      else await list(cli, client, path, options.output);
    });
};

async function list(cli: Cli, client: ApiClient, path: string, format: Format): Promise<void> {
  const rows: JobEvent[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.get<Partial<Page<JobEvent>>>(path, { cursor });
    rows.push(...(page.items ?? []));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  const nameOf = (event: JobEvent) => String(event.sequence);
  await printListing(cli, format, { rows, columns, wideColumns: columns, nameOf, document: rows });
}

async function follow(cli: Cli, client: ApiClient, path: string, format: Format, signal: AbortSignal): Promise<void> {
  let last = 0;
  for await (const { data } of steadyEvents(client, path, () => ({ follow: true, after: last }), signal)) {
    const event = asEvent(data);
    if (event === null || event.sequence <= last) continue;
    last = event.sequence;
    if (format === 'json') cli.io.stdout.write(`${JSON.stringify(event)}\n`);
    else if (format === 'yaml') await printDocument(cli, 'yaml', [event]);
    else cli.io.stdout.write(`${plainText(`${event.at}  ${event.kind.padEnd(16)}  ${details(event)}`).trimEnd()}\n`);
    if (event.kind === 'ended') return;
  }
}

function asEvent(data: string): JobEvent | null {
  const event = data === '' ? null : (JSON.parse(data) as Partial<JobEvent>);
  return typeof event?.sequence === 'number' ? (event as JobEvent) : null;
}

const columns: Column<JobEvent>[] = [
  { header: 'TIME', cell: (event) => event.at },
  { header: 'EVENT', cell: (event) => event.kind },
  { header: 'DETAILS', cell: details, sentence: true, shrinksTo: 30 },
];

function details({ data }: JobEvent): string {
  return (
    Object.entries(data ?? {})
      // Nobody reads a UUID; `-o json` has it.
      .filter(([name, value]) => name !== 'runId' && value !== null && value !== undefined && value !== '')
      .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join(' ')
  );
}
