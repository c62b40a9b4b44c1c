import type { z } from 'zod';
import { type JobSpec, jobSpecSchema, MAX_ENV_BYTES, MAX_SCRIPT_BYTES } from './job-spec.ts';
import { nearestName } from './nearest-name.ts';
import { outputPatternProblem } from './output-path.ts';
import { parseRangeSet } from './range-set.ts';
import { knownNames } from './schema-names.ts';
import type { SpecProblem } from './spec-problem.ts';

export type { SpecProblem } from './spec-problem.ts';

export type SpecValidation = { ok: true; spec: JobSpec } | { ok: false; problems: SpecProblem[] };

/** Checks what a person wrote and fills in every default; names everything that is wrong at once. */
export function validateJobSpec(input: unknown): SpecValidation {
  const parsed = jobSpecSchema.safeParse(input);
  if (!parsed.success) return { ok: false, problems: parsed.error.issues.flatMap(problemsOf) };
  const problems = furtherProblems(parsed.data);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, spec: parsed.data };
}

function problemsOf(issue: z.core.$ZodIssue): SpecProblem[] {
  const path = pointer(issue.path);
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownName(issue.path, key));
  if (issue.code === 'invalid_key')
    return [{ path, message: `this name ${issue.issues[0]?.message ?? 'is not possible'}` }];
  return [{ path, message: issue.message.replace(/^Invalid input: /, '') }];
}

function unknownName(parent: readonly PropertyKey[], key: string): SpecProblem {
  const known = knownNames(jobSpecSchema, parent);
  const meant = nearestName(key, known);
  const hint = meant === null ? `known here are ${known.join(', ')}` : `did you mean '${meant}'?`;
  return { path: pointer([...parent, key]), message: `there is no '${shorten(key)}' here`, hint };
}

/** What no single field's type says. */
function furtherProblems(spec: JobSpec): SpecProblem[] {
  return [
    ...scriptProblems(spec),
    ...sizeProblems(spec),
    ...arrayProblems(spec),
    ...retryProblems(spec),
    ...outputProblems(spec),
    ...resourceProblems(spec),
    ...timeProblems(spec),
  ];
}

function scriptProblems({ script = '' }: JobSpec): SpecProblem[] {
  const problems: SpecProblem[] = [];
  if (script.includes('\r\n'))
    problems.push({
      path: '/script',
      message: 'has DOS line breaks, which no interpreter line survives',
      hint: 'convert it with dos2unix',
    });
  if (/^#BSUB\b/m.test(script) && !/^#SBATCH\b/m.test(script))
    problems.push({
      path: '/script',
      message: '#BSUB lines are not read yet, and they are not silently dropped',
      hint: 'write them as fields of the spec or as #SBATCH lines',
    });
  return problems;
}

function sizeProblems({ script, env }: JobSpec): SpecProblem[] {
  const problems: SpecProblem[] = [];
  if (script !== undefined && bytes(script) > MAX_SCRIPT_BYTES)
    problems.push({ path: '/script', message: `has more than ${MAX_SCRIPT_BYTES} bytes` });
  const size = Object.entries(env).reduce((sum, [name, value]) => sum + bytes(name) + bytes(value) + 2, 0);
  if (size > MAX_ENV_BYTES)
    problems.push({ path: '/env', message: `has ${size} bytes, at most ${MAX_ENV_BYTES} are possible` });
  return problems;
}

function arrayProblems({ array }: JobSpec): SpecProblem[] {
  if (array === undefined) return [];
  const problems: SpecProblem[] = [];
  const tasks = parseRangeSet(array.tasks);
  if (!tasks.ok) problems.push({ path: '/array/tasks', message: tasks.message });
  if (!array.split && array.maxRunning !== undefined)
    problems.push({
      path: '/array/maxRunning',
      message: 'an array that is never cut is placed as a whole, so maxRunning cannot be honoured',
      hint: 'leave split out and name one cluster in constraints.clusters instead',
    });
  return problems;
}

function retryProblems({ rerunnable, retry }: JobSpec): SpecProblem[] {
  if (retry.lostAfterSeconds === undefined || rerunnable) return [];
  const message = 'only a job that is rerunnable is run again when its cluster is lost';
  return [{ path: '/retry/lostAfterSeconds', message, hint: "set 'rerunnable: true'" }];
}

function outputProblems(spec: JobSpec): SpecProblem[] {
  return (['stdout', 'stderr', 'stdin'] as const).flatMap((name) => {
    const message = spec[name] === undefined ? null : outputPatternProblem(spec[name]);
    return message === null ? [] : [{ path: `/${name}`, message }];
  });
}

function resourceProblems({ resources: { nodes, tasks, tasksPerNode, gpuType, gpusPerNode } }: JobSpec): SpecProblem[] {
  const problems: SpecProblem[] = [];
  if (nodes !== undefined && tasksPerNode === undefined && tasks > 1 && tasks < nodes)
    problems.push({ path: '/resources/nodes', message: `${nodes} nodes cannot all be used by ${tasks} tasks` });
  if (nodes !== undefined && tasksPerNode !== undefined && tasks > nodes * tasksPerNode)
    problems.push({
      path: '/resources/tasks',
      message: `${tasks} tasks do not fit ${nodes} nodes with ${tasksPerNode} tasks each`,
    });
  if (gpuType !== undefined && gpusPerNode === 0)
    problems.push({ path: '/resources/gpuType', message: 'names a GPU but asks for none', hint: "set 'gpusPerNode'" });
  return problems;
}

function timeProblems({ startAfter, startDeadline }: JobSpec): SpecProblem[] {
  if (startAfter === undefined || startDeadline === undefined || Date.parse(startAfter) < Date.parse(startDeadline))
    return [];
  return [{ path: '/startDeadline', message: `${startDeadline} is not after startAfter ${startAfter}` }];
}

/** JSON pointer (RFC 6901). */
function pointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${shorten(String(part)).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** UTF-8 length without an encoder: this folder is pure. */
function bytes(text: string): number {
  let total = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    total += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return total;
}
