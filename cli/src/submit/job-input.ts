import { basename, resolve } from 'node:path';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { usage } from '../failure.ts';
import type { Source } from './read-source.ts';
import { scriptDefaults } from './script-defaults.ts';
import { parseGpus, parseMemory, parseTimeLimit, type Size } from './slurm-sizes.ts';

/** The options of `yard submit` that describe the job, as commander gives them. */
export type JobOptions = {
  name?: string;
  cluster?: string[];
  time?: string;
  ntasks?: number;
  nodes?: number;
  ntasksPerNode?: number;
  cpusPerTask?: number;
  mem?: string;
  memPerCpu?: string;
  gpus?: string;
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
  const given = fromOptions(options, world);
  const base = fromSource(source);
  const merged: Record<string, unknown> = { ...base, ...given };
  for (const field of ['resources', 'array', 'constraints', 'env', 'labels'] as const)
    if (isTree(base[field]) && isTree(given[field])) merged[field] = { ...base[field], ...given[field] };
  return { ...defaults(source, world), ...merged } as JobSpecInput;
}

function fromSource(source: Source): Record<string, unknown> {
  if (source.kind === 'document') return { ...source.document };
  return source.kind === 'command' ? { command: [...source.argv] } : { script: source.text };
}

function fromOptions(options: JobOptions, world: World): Partial<Record<keyof JobSpecInput, unknown>> {
  return defined({
    name: options.name,
    group: options.group,
    priority: options.priority,
    rerunnable: options.rerunnable,
    workdir: options.workdir === undefined ? undefined : resolve(world.cwd, options.workdir),
    stdout: options.output,
    stderr: options.error,
    resources: resources(options),
    array: array(options),
    constraints: options.cluster && { clusters: options.cluster.flatMap((names) => names.split(',')) },
    env: options.env && Object.fromEntries(options.env.map((text) => environmentPair(text, world.env))),
    labels: options.label && Object.fromEntries(options.label.map(labelPair)),
    dependsOn: options.after?.flatMap((text) => text.split(',').map(dependency)),
  });
}

function resources(options: JobOptions): Record<string, unknown> | undefined {
  const given = defined({
    tasks: options.ntasks,
    nodes: options.nodes,
    tasksPerNode: options.ntasksPerNode,
    cpusPerTask: options.cpusPerTask,
    walltimeSeconds: size('--time', options.time, parseTimeLimit),
    memoryMiBPerNode: size('--mem', options.mem, parseMemory),
    memoryMiBPerCpu: size('--mem-per-cpu', options.memPerCpu, parseMemory),
    exclusive: options.exclusive,
    ...gpus(options),
  });
  return Object.keys(given).length > 0 ? given : undefined;
}

function size(option: string, text: string | undefined, parse: (text: string) => Size): number | undefined {
  if (text === undefined) return undefined;
  const parsed = parse(text);
  if (!parsed.ok) throw usage(`${option}: ${parsed.message}.`);
  return parsed.value;
}

/** `--gpus` counts those of the whole job; the spec counts them per node, so they must divide (a job without --nodes gets one). */
function gpus({ gpus: text, nodes = 1 }: JobOptions): Record<string, unknown> {
  if (text === undefined) return {};
  const parsed = parseGpus(text);
  if (parsed === null) throw usage(`--gpus: '${text}' is not a number of GPUs: 2 and a100:2 are.`);
  const { count, type } = parsed;
  if (count % nodes !== 0) throw usage(`--gpus: ${count} GPUs cannot be shared evenly by ${nodes} nodes.`);
  return { nodes, gpusPerNode: count / nodes, ...(type === undefined ? {} : { gpuType: type }) };
}

/** `0-9%3` is `--array 0-9 --max-running 3`, as in sbatch. */
function array({ array: text, maxRunning }: JobOptions): Record<string, unknown> | undefined {
  if (text === undefined && maxRunning === undefined) return undefined;
  const [tasks, limit, ...rest] = (text ?? '').split('%');
  if (rest.length > 0 || (limit !== undefined && !/^[1-9]\d{0,6}$/.test(limit)))
    throw usage(`--array: '${text}' is not a set of tasks such as 0-99, 0-99:2, 1,5,7 or 0-99%10.`);
  return defined({
    tasks: tasks || undefined,
    maxRunning: maxRunning ?? (limit === undefined ? undefined : Number(limit)),
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
  if (source.kind === 'command') return { name: basename(source.argv[0]!), workdir: cwd };
  if (source.kind === 'document') return { workdir: cwd };
  return scriptDefaults(source.text, source.fileName, cwd);
}

function defined<Value extends Record<string, unknown>>(value: Value): { [Key in keyof Value]?: Value[Key] } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never;
}

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
