import type { DryRun, WholeJob } from '../api/api-types.ts';
import { type Cli, type DefineCommand, print } from '../cli.ts';
import { EXIT } from '../exit-code.ts';
import { printDocument } from '../format/output.ts';
import { collect, parseCount, parseWhole } from '../option-values.ts';
import { printDryRun } from '../submit/dry-run.ts';
import { type JobOptions, jobInput } from '../submit/job-input.ts';
import { readSource } from '../submit/read-source.ts';
import { waitForJobs } from '../watch/wait-for-jobs.ts';

type Options = JobOptions & { wait?: true; dryRun?: true; quiet?: true; json?: true };

/** `yard submit`: hands a job over once, however often the answer gets lost on the way. */
export const defineSubmit: DefineCommand = (command, cli) => {
  command
    .usage('[options] SCRIPT | DOCUMENT.yaml | - | -- COMMAND [arguments]')
    .argument('[file]', 'a script with #!, a .yaml or .json job, or - for a script from stdin')
    .argument('[rest...]')
    .configureHelp({ helpWidth: 80, visibleArguments: () => [] })
    .option('-J, --name <name>', 'name of the job')
    .option('-t, --time <limit>', 'time limit: 90 (minutes), 01:30:00, 1-12:00:00')
    .option('-n, --ntasks <n>', 'tasks')
    .option('-N, --nodes <n>', 'nodes')
    .option('--ntasks-per-node <n>', 'tasks on each node')
    .option('-c, --cpus-per-task <n>', 'CPUs for each task')
    .option('--mem <amount>', 'memory on each node: 500M, 4G')
    .option('--mem-per-cpu <amount>', 'memory for each CPU')
    .option('-G, --gpus <n>', 'GPUs of the whole job: 2, a100:2')
    .option('--gpus-per-node <n>', 'GPUs on each node')
    .option('--exclusive', 'share no node with other jobs')
    .option('-a, --array <tasks>', 'tasks of an array: 0-99, 0-99:2, 1,5,7, 0-99%10')
    .option('--max-running <n>', 'so many tasks of the array at once', parseCount)
    .option('-D, --workdir <path>', 'where it runs (default: here)')
    .option('-o, --output <pattern>', 'file for its output')
    .option('-e, --error <pattern>', 'file for its errors (default: with its output)')
    .option('--env <name=value>', 'environment; NAME alone takes the value from here', collect)
    .option('--cluster <name>', 'only there; may be repeated', collect)
    .option('-g, --group <path>', 'group it belongs to')
    .option('--priority <n>', 'higher goes first', parseWhole)
    .option('--after <job[:when]>', 'after a job has succeeded, failed, ended or started', collect)
    .option('--rerunnable', 'may be started again when its node or cluster fails')
    .option('--label <key=value>', 'label; may be repeated', collect)
    .option('--wait', 'wait for its end and exit with its code')
    .option('--dry-run', 'only say where it would go, and why not elsewhere')
    .option('-q, --quiet', 'print the number alone')
    .option('--json', 'print the answer as JSON')
    .action(async (file: string | undefined, rest: string[], options: Options) => {
      const source = await readSource(cli, file === undefined ? [] : [file, ...rest]);
      const body = { spec: jobInput(source, options, cli.io) };
      if (options.dryRun) await dryRun(cli, body, options);
      else await submit(cli, body, options);
    });
};

async function submit(cli: Cli, body: object, options: Options): Promise<void> {
  const client = await cli.connect();
  const job = await client.submit<WholeJob>('/v1/jobs', body);
  if (options.json) await printDocument(cli, 'json', job);
  else print(cli, options.quiet ? String(job.number) : `Submitted job ${job.number}`);
  if (options.wait)
    cli.exitCode = await waitForJobs(cli, client, [String(job.number)], { quiet: options.quiet === true });
}

async function dryRun(cli: Cli, body: object, options: Options): Promise<void> {
  const client = await cli.connect();
  const answer = await client.put<DryRun>('/v1/jobs', body, { dryRun: true });
  if (options.json) await printDocument(cli, 'json', answer);
  else printDryRun(cli, answer);
  if (
    answer.refusals.length > 0 &&
    answer.placements.length === 0 &&
    answer.refusals.every(({ permanent }) => permanent)
  )
    cli.exitCode = EXIT.unsatisfiable;
}
