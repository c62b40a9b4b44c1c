import { basename, resolve } from 'node:path';
import { applySubmission } from '@switchyard/core/spec/apply-submission.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { TRANSLATIONS } from '@switchyard/core/spec/sbatch-translations.ts';
import { usage } from '../failure.ts';
import type { Source } from './read-source.ts';
import { scriptDefaults } from './script-defaults.ts';

/** The options of `yard submit` that describe the job, as commander gives them. */
export type JobOptions = {
  name?: string;
  cluster?: string[];
  time?: string;
  ntasks?: string;
  nodes?: string;
  ntasksPerNode?: string;
  cpusPerTask?: string;
  mem?: string;
  memPerCpu?: string;
  gpus?: string;
  gpusPerNode?: string;
  exclusive?: true;
  array?: string;
  maxRunning?: number;
  workdir?: string;
  output?: string;
  error?: string;
  env?: string[];
  group?: string;
  priority?: number;
  after?: string[];
  rerunnable?: true;
  label?: string[];
};

type World = { readonly cwd: string; readonly env: NodeJS.ProcessEnv };

/**
 * The job that was meant. An option wins over the same field of a document; the directives of a script (`#SBATCH`) are read by the
 * broker and lose against both, so that a default of ours may only stand where the script says nothing.
 */
export function jobInput(source: Source, options: JobOptions, world: World): JobSpecInput {
  const given = applySubmission(slurmFields(options), ownFields(options, world));
  return { ...defaults(source, world), ...applySubmission(fromSource(source), given) } as JobSpecInput;
}

function fromSource(source: Source): Partial<JobSpecInput> {
  if (source.kind === 'document') return { ...source.document };
  return source.kind === 'command' ? { command: [...source.argv] } : { script: source.text };
}

/** Options that sbatch has too mean the same here, because the same table reads both. */
function slurmFields(options: JobOptions): Partial<JobSpecInput> {
  const given = slurmOptions.flatMap(([name, key]) => {
    const value = options[key];
    return value === undefined ? [] : [[name, value === true ? '' : String(value)] as const];
  });
  const all = new Map<string, string>(given);
  let fields: Partial<JobSpecInput> = {};
  for (const [name, value] of given) {
    const meaning = TRANSLATIONS[name]!(value, all, null);
    if (typeof meaning === 'string') throw usage(`--${name}: ${meaning}.`);
    fields = applySubmission(fields, meaning);
  }
  return fields;
}

const slurmOptions = [
  ['time', 'time'],
  ['ntasks', 'ntasks'],
  ['nodes', 'nodes'],
  ['ntasks-per-node', 'ntasksPerNode'],
  ['cpus-per-task', 'cpusPerTask'],
  ['mem', 'mem'],
  ['mem-per-cpu', 'memPerCpu'],
  ['gpus', 'gpus'],
  ['gpus-per-node', 'gpusPerNode'],
  ['exclusive', 'exclusive'],
  ['array', 'array'],
] as const satisfies readonly (readonly [string, keyof JobOptions])[];

function ownFields(options: JobOptions, world: World): Partial<Record<keyof JobSpecInput, unknown>> {
  return defined({
    name: options.name,
    group: options.group,
    priority: options.priority,
    rerunnable: options.rerunnable,
    workdir: options.workdir === undefined ? undefined : resolve(world.cwd, options.workdir),
    stdout: options.output,
    stderr: options.error,
    array: options.maxRunning === undefined ? undefined : { maxRunning: options.maxRunning },
    constraints: options.cluster && { clusters: options.cluster.flatMap((names) => names.split(',')) },
    env: options.env && Object.fromEntries(options.env.map((text) => environmentPair(text, world.env))),
    labels: options.label && Object.fromEntries(options.label.map(labelPair)),
    dependsOn: options.after?.flatMap((text) => text.split(',').map(dependency)),
  });
}

/** `NAME=VALUE`, or `NAME` alone for the value it has here. */
function environmentPair(text: string, env: NodeJS.ProcessEnv): [string, string] {
  const at = text.indexOf('=');
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  const value = at < 0 ? env[text] : undefined;
  if (value === undefined) throw usage(`--env: '${text}' is not NAME=VALUE${at < 0 ? ', nor set here' : ''}.`);
  return [text, value];
}

function labelPair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw usage(`--label: '${text}' is not KEY=VALUE.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function dependency(text: string): { job: number | string; when?: string } {
  const match = /^(?:(\d{1,15})|([0-9a-f-]{36}))(?::(succeeded|failed|ended|started))?$/i.exec(text.trim());
  if (!match) throw usage(`--after: '${text}' is not JOB or JOB:WHEN.`, 'WHEN is succeeded, failed, ended or started.');
  const job = match[1] === undefined ? match[2]! : Number(match[1]);
  return { job, ...(match[3] === undefined ? {} : { when: match[3] }) };
}

function defaults(source: Source, { cwd }: World): Record<string, unknown> {
  if (source.kind === 'command') return { name: printable(basename(source.argv[0]!)), workdir: cwd };
  if (source.kind === 'script') return scriptDefaults(source.text, source.fileName, cwd);
  const { script } = source.document;
  return typeof script === 'string' ? scriptDefaults(script, null, cwd) : { workdir: cwd };
}

/** What we make up ourselves must not be what the job is refused for. */
function printable(name: string): string {
  return name.replace(/\p{Cc}/gu, '_').slice(0, 255) || 'job';
}

function defined<Value extends Record<string, unknown>>(value: Value): { [Key in keyof Value]?: Value[Key] } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never;
}
