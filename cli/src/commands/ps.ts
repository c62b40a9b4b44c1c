import type { Job, Page } from '../api/api-types.ts';
import { type Cli, type DefineCommand, say } from '../cli.ts';
import { usage } from '../failure.ts';
import { ageOf } from '../format/age.ts';
import { reasonWords } from '../format/job-words.ts';
import { type Format, outputOption, printListing } from '../format/output.ts';
import { stateText } from '../format/state.ts';
import type { Column } from '../format/table.ts';
import { collect, parseCount } from '../option-values.ts';

type Options = {
  all?: true;
  state?: string;
  group?: string;
  cluster?: string;
  name?: string;
  owner?: string;
  label: string[];
  limit: number;
  output: Format;
};

/** `yard ps`: the jobs that have not ended, newest first. */
export const definePs: DefineCommand = (command, cli) => {
  command
    .option('-a, --all', 'also jobs that have ended')
    .option('-s, --state <states>', 'only these states, separated by commas')
    .option('-g, --group <path>', 'only this group')
    .option('-c, --cluster <name>', 'only jobs on this cluster')
    .option('-n, --name <name>', 'only jobs of this name')
    .option('--owner <name>', 'only jobs of this user')
    .option('-l, --label <key=value>', 'only jobs with this label', collect, [])
    .option('--limit <n>', 'at most so many', parseCount, 200)
    .addOption(outputOption())
    .action(async (options: Options) => {
      const { jobs, more } = await listJobs(cli, options);
      await printListing(cli, options.output, {
        rows: jobs,
        columns: columns(cli.io.now()),
        wideColumns: wideColumns(cli.io.now()),
        nameOf: (job) => String(job.number),
        document: jobs,
      });
      if (jobs.length === 0)
        say(cli, options.all ? 'No jobs.' : 'No jobs that have not ended; --all shows the others.');
      if (more) say(cli, `There are more than these ${jobs.length}; --limit N shows more.`);
    });
};

async function listJobs(cli: Cli, options: Options): Promise<{ jobs: Job[]; more: boolean }> {
  const client = await cli.connect();
  const jobs: Job[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<Job> = await client.get<Page<Job>>('/v1/jobs', {
      limit: Math.min(1000, options.limit - jobs.length),
      cursor,
      state: states(options),
      group: options.group,
      cluster: options.cluster,
      name: options.name,
      owner: options.owner,
      label: options.label,
    });
    jobs.push(...page.items);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && jobs.length < options.limit);
  return { jobs, more: cursor !== undefined };
}

const OPEN = ['held', 'queued', 'placing', 'placed', 'running'];
const CLOSED = ['succeeded', 'failed', 'cancelled'];

function states({ all, state }: Options): string | undefined {
  if (state === undefined) return all ? undefined : OPEN.join(',');
  const wrong = state.split(',').find((word) => ![...OPEN, ...CLOSED].includes(word));
  if (wrong === undefined) return state;
  throw usage(`'${wrong}' is not a state of a job.`, `States are ${[...OPEN, ...CLOSED].join(', ')}.`);
}

function columns(nowMs: number): Column<Job>[] {
  return [
    { header: 'NUMBER', cell: (job) => String(job.number) },
    { header: 'NAME', cell: (job) => job.name, shrinksTo: 12 },
    { header: 'STATE', cell: (job) => stateText(job.state, job) },
    { header: 'CLUSTER', cell: (job) => job.cluster ?? '-', shrinksTo: 8 },
    { header: 'AGE', cell: (job) => ageOf(job.createdAt, nowMs) },
    { header: 'REASON', cell: reasonWords, shrinksTo: 12, sentence: true },
  ];
}

function wideColumns(nowMs: number): Column<Job>[] {
  return [
    ...columns(nowMs).slice(0, -1),
    { header: 'IN-STATE', cell: (job) => ageOf(job.stateSince, nowMs) },
    { header: 'GROUP', cell: (job) => job.group },
    { header: 'OWNER', cell: (job) => job.owner },
    { header: 'TASKS', cell: tasksDone },
    { header: 'NATIVE-ID', cell: (job) => job.nativeId ?? '-' },
    { header: 'NATIVE-STATE', cell: (job) => job.nativeState ?? '-' },
    { header: 'REASON', cell: reasonWords, sentence: true },
  ];
}

/** Ended of all. */
function tasksDone({ taskCount, tasks: { counts } }: Job): string {
  return `${counts.succeeded + counts.failed + counts.cancelled}/${taskCount}`;
}
