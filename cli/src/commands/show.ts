import type { Run, WholeJob } from '../api/api-types.ts';
import { type DefineCommand, look } from '../cli.ts';
import { age, ageOf } from '../format/age.ts';
import { type Facts, renderFacts } from '../format/facts.ts';
import { ENDED, reasonWords, taskWords } from '../format/job-words.ts';
import { type Format, outputOption, printDocument } from '../format/output.ts';
import { requestWords } from '../format/request-words.ts';
import { stateText } from '../format/state.ts';
import { type Column, renderTable } from '../format/table.ts';
import { parseWholeJobId } from '../job-id.ts';

/** `yard show`: all facts of one job, its runs included. */
export const defineShow: DefineCommand = (command, cli) => {
  command
    .argument('<job>', 'number or id')
    .addOption(outputOption())
    .action(async (id: string, { output }: { output: Format }) => {
      const client = await cli.connect();
      const job = await client.get<WholeJob>(`/v1/jobs/${parseWholeJobId(id)}`);
      if (output === 'json' || output === 'yaml') return printDocument(cli, output, job);
      if (output === 'name') return void cli.io.stdout.write(`${job.number}\n`);
      const { colours } = look(cli);
      cli.io.stdout.write(renderFacts(facts(job, cli.io.now()), colours));
      if (job.runs.length > 0) cli.io.stdout.write(`\n${renderTable(runColumns(cli.io.now()), job.runs, look(cli))}`);
    });
};

function facts(job: WholeJob, nowMs: number): Facts {
  const ended = ENDED.has(job.state);
  return [
    ['Job', `${job.number}  ${job.id}`],
    ['Name', job.name],
    ['State', stateText(job.state, job), `for ${ageOf(job.stateSince, nowMs)}`],
    [ended ? 'How' : 'Why', reasonWords(job)],
    ['Detail', job.detail],
    ['Exit', ended ? exitWords(job) : null],
    ['Tasks', job.isArray ? `${taskNumbers(job)}${taskWords(job)}` : null],
    ['Cluster', job.cluster],
    ['There', [job.nativeId, job.nativeState, job.nativeReason && `(${job.nativeReason})`].filter(Boolean).join(' ')],
    ['Group', job.group],
    ['Owner', job.owner],
    ['Priority', String(job.priority)],
    ['Asks for', requestWords(job.spec)],
    ['Submitted', moment(job.createdAt, nowMs)],
    ['Started', moment(job.startedAt, nowMs)],
    ['Ended', moment(job.endedAt, nowMs)],
    ['Output', job.stdoutPath],
    ['Errors', job.stderrPath === job.stdoutPath ? null : job.stderrPath],
    [
      'Labels',
      Object.entries(job.labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ],
  ];
}

function exitWords({ exitCode, signal }: WholeJob): string | null {
  if (signal) return `signal ${signal}`;
  return exitCode === null ? null : String(exitCode);
}

function taskNumbers({ taskCount, tasks: { counts } }: WholeJob): string {
  return `${taskCount}: ${counts.queued} queued, ${counts.out} out (${counts.running} running)`;
}

function moment(at: string | null, nowMs: number): string | null {
  return at ? `${at}  ${ageOf(at, nowMs)} ago` : null;
}

function runColumns(nowMs: number): Column<Run>[] {
  return [
    { header: 'ATTEMPT', cell: (run) => String(run.attempt) },
    { header: 'CLUSTER', cell: (run) => run.cluster, shrinksTo: 8 },
    { header: 'POOL', cell: (run) => run.pool ?? '-', shrinksTo: 6 },
    { header: 'TASKS', cell: (run) => run.tasks, shrinksTo: 8 },
    { header: 'STATE', cell: (run) => stateText(run.outcome ?? run.state) },
    { header: 'NATIVE-ID', cell: (run) => run.nativeId ?? '-' },
    { header: 'AGE', cell: (run) => ageOf(run.offeredAt, nowMs) },
    { header: 'RAN', cell: (run) => ran(run, nowMs) },
    { header: 'REASON', cell: runReason, sentence: true, shrinksTo: 8 },
  ];
}

function ran({ startedAt, endedAt }: Run, nowMs: number): string {
  if (!startedAt) return '-';
  return age((endedAt ? Date.parse(endedAt) : nowMs) - Date.parse(startedAt));
}

function runReason({ reason, nativeState, nativeReason, outcome }: Run): string {
  if (outcome) return reason?.replaceAll('_', ' ') ?? '';
  return [nativeState, nativeReason && `(${nativeReason})`].filter(Boolean).join(' ');
}
