import { formatSeconds } from '@switchyard/core/spec/format-seconds.ts';
import { memory } from './amounts.ts';

/** What a job asks for in one line: `8 tasks × 2 CPUs, 2 nodes, 15.6Gi per node, 02:00:00`. */
export function requestWords(spec: Readonly<Record<string, unknown>>): string {
  const resources = (spec['resources'] ?? {}) as Readonly<Record<string, unknown>>;
  const number = (name: string) => (typeof resources[name] === 'number' ? resources[name] : undefined);
  const tasks = number('tasks') ?? 1;
  const gpus = number('gpusPerNode') ?? 0;
  const parts = [
    `${many(tasks, 'task')} × ${many(number('cpusPerTask') ?? 1, 'CPU')}`,
    whenGiven(number('nodes'), (nodes) => many(nodes, 'node')),
    whenGiven(number('memoryMiBPerNode'), (mebibytes) => `${memory(mebibytes)} per node`),
    whenGiven(number('memoryMiBPerCpu'), (mebibytes) => `${memory(mebibytes)} per CPU`),
    whenGiven(number('memoryMiBPerTask'), (mebibytes) => `${memory(mebibytes)} per task`),
    gpus > 0 ? `${many(gpus, 'GPU')} per node${resources['gpuType'] ? ` (${resources['gpuType']})` : ''}` : '',
    resources['exclusive'] === true ? 'whole nodes' : '',
    whenGiven(number('walltimeSeconds'), formatSeconds),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function whenGiven(value: number | undefined, words: (value: number) => string): string {
  return value === undefined ? '' : words(value);
}

function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
