import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { count, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { isArray } from '@switchyard/core/spec/task-set.ts';
import { nodeList } from './environment.ts';
import { utf8Bytes } from './text-size.ts';

/** Annotations of one object have 256 KiB together (k8s.io/apimachinery TotalAnnotationSizeLimitB); the rest is for others'. */
export const MAX_SCRIPT_BYTES = 200 * 1024;
/** Of the environment, and of a command: with them a Job stays far below the 1.5 MiB that etcd takes. */
export const MAX_TEXT_BYTES = 200 * 1024;
/** Linux' MAX_ARG_STRLEN: one argument, or one `NAME=value`, with its NUL (execve(2)). */
const MAX_WORD_BYTES = 131_072;
/** Of an Indexed Job with a backoff limit per index (k8s.io/kubernetes pkg/apis/batch/validation). */
const MAX_TASKS = 100_000;

/** What of a job cannot be honoured on any Kubernetes cluster, by field, as one sentence; null: nothing. */
export function refusalOf(order: RunOrder, nodes: number): string | null {
  return shapeRefusal(order, nodes) ?? outputRefusal(order) ?? sizeRefusal(order, nodes);
}

function shapeRefusal({ spec, tasks }: RunOrder, nodes: number): string | null {
  const { resources } = spec;
  if (spec.stdin !== undefined) return 'stdin: a container has no standard input; read the file in the script';
  if (spec.signal !== undefined)
    return 'signal: Kubernetes sends nothing before the walltime but TERM, shortly before the end';
  if (resources.exclusive) return 'resources.exclusive: a Kubernetes job shares its nodes with others';
  if (isArray(spec) && nodes > 1) {
    const field = resources.nodes === undefined ? 'resources.tasksPerNode' : 'resources.nodes';
    return `${field}: the tasks of an array run on one node each here, this job asks for ${nodes} nodes for each task`;
  }
  const many = count(rangeSet(tasks));
  return many > MAX_TASKS ? `array.tasks: ${many} tasks are more than the ${MAX_TASKS} that one Job can have` : null;
}

/** A relative name stands for the log, as everywhere; a path is a promise that a file will be there. */
function outputRefusal({ spec }: RunOrder): string | null {
  for (const field of ['stdout', 'stderr'] as const) {
    const path = spec[field];
    if (path?.startsWith('/') && !path.startsWith('/dev/'))
      return `${field}: no file '${path}' is written here, output goes to the pod's log; leave it out, or redirect in the script`;
  }
  return null;
}

function sizeRefusal({ spec, tasks, marker }: RunOrder, nodes: number): string | null {
  const words = spec.command ?? [];
  const variables = Object.entries(spec.env).map(
    ([name, value]) => [name, utf8Bytes(name) + utf8Bytes(value) + 2] as const,
  );
  const big = variables.find(([, size]) => size > MAX_WORD_BYTES);
  if (big) return `env: ${big[0]} ${tooBig(big[1], MAX_WORD_BYTES)}, with its name`;
  if (words.some((word) => utf8Bytes(word) >= MAX_WORD_BYTES))
    return `command: one argument ${tooBig(Math.max(...words.map(utf8Bytes)) + 1, MAX_WORD_BYTES)}`;
  const texts = [
    ['script', utf8Bytes(spec.script ?? ''), MAX_SCRIPT_BYTES],
    ['env', variables.reduce((sum, [, size]) => sum + size, 0), MAX_TEXT_BYTES],
    ['command', words.reduce((sum, word) => sum + utf8Bytes(word) + 1, 0), MAX_TEXT_BYTES],
    ['array.tasks: the list of tasks', isArray(spec) ? tasks.length : 0, MAX_WORD_BYTES - 1],
    ['resources.nodes: the list of node names', nodes > 1 ? nodeList(marker, nodes).length : 0, MAX_WORD_BYTES - 64],
  ] as const;
  const over = texts.find(([, size, limit]) => size > limit);
  if (over) return `${over[0]}${over[0].includes(':') ? '' : ':'} ${tooBig(over[1], over[2])}`;
  return wellFormed(spec) ? null : 'script, command and env: the text is not valid Unicode';
}

function tooBig(size: number, limit: number): string {
  return `has ${size} bytes, at most ${limit} are possible on Kubernetes`;
}

/** Half of a surrogate pair would reach the container as another character. */
function wellFormed({ script = '', command = [], env }: RunOrder['spec']): boolean {
  return [script, ...command, ...Object.values(env)].every((text) => text.isWellFormed());
}
