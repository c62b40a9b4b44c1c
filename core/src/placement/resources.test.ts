import { expect, test } from 'vitest';
import { resourcesSchema } from '../spec/job-spec.ts';
import { requestOf } from './resources.ts';

test.each([
  ['one process', {}, { nodes: 1, tasks: 1, cpus: 1, cpusPerNode: 1, memoryMiB: 0, gpus: 0 }],
  ['threads', { cpusPerTask: 8 }, { nodes: 1, cpus: 8, cpusPerNode: 8 }],
  [
    'processes that may spread: one node must take one of them',
    { tasks: 8, cpusPerTask: 2 },
    { nodes: 1, tasks: 8, cpus: 16, cpusPerNode: 2 },
  ],
  ['nodes alone: one process each', { nodes: 4 }, { nodes: 4, tasks: 4, cpus: 4, cpusPerNode: 1 }],
  [
    'nodes and processes per node',
    { nodes: 2, tasksPerNode: 4, cpusPerTask: 2 },
    { nodes: 2, tasks: 8, cpus: 16, cpusPerNode: 8 },
  ],
  ['an uneven number', { nodes: 2, tasks: 5 }, { nodes: 2, tasks: 5, cpus: 5, cpusPerNode: 3 }],
  ['nodes from processes per node', { tasks: 9, tasksPerNode: 4 }, { nodes: 3, tasks: 9, cpusPerNode: 3 }],
  ['memory per node', { nodes: 2, memoryMiBPerNode: 100 }, { memoryMiB: 200, memoryMiBPerNode: 100 }],
  ['memory per CPU', { tasks: 4, cpusPerTask: 2, memoryMiBPerCpu: 100 }, { memoryMiB: 800, memoryMiBPerNode: 200 }],
  ['memory per process', { nodes: 2, tasks: 4, memoryMiBPerTask: 100 }, { memoryMiB: 400, memoryMiBPerNode: 200 }],
  ['GPUs', { nodes: 2, gpusPerNode: 4, gpuType: 'a100' }, { gpus: 8, gpusPerNode: 4, gpuType: 'a100' }],
  ['a time limit', { walltimeSeconds: 60, exclusive: true }, { walltimeSeconds: 60, exclusive: true }],
])('%s', (_, resources, expected) => {
  expect(requestOf({ resources: resourcesSchema.parse(resources) })).toMatchObject(expected);
});
