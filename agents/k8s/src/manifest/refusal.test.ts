import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { describe, expect, it } from 'vitest';
import type { KubernetesConfigInput } from '../config.ts';
import { jobManifest } from './job-manifest.ts';
import { MAX_SCRIPT_BYTES } from './refusal.ts';
import { makeConfig, makeOrder } from './testing/make-order.ts';

const ok: JobSpecInput = { command: ['true'] };
const script = (bytes: number) => `#!/bin/sh\n${'é'.repeat((bytes - 10) / 2)}`;

function answer(input: JobSpecInput, config: KubernetesConfigInput = {}, changes = {}) {
  return jobManifest(makeOrder(input, changes), makeConfig(config), { cluster: 'east' });
}

describe('what cannot be honoured is refused by name', () => {
  const cases: [JobSpecInput, string, KubernetesConfigInput?, object?][] = [
    [{ ...ok, stdin: '/data/in' }, 'stdin: a container has no standard input; read the file in the script'],
    [
      { ...ok, signal: { name: 'USR1' } },
      'signal: Kubernetes sends nothing before the walltime but TERM, shortly before the end',
    ],
    [{ ...ok, resources: { exclusive: true } }, 'resources.exclusive: a Kubernetes job shares its nodes with others'],
    [
      { ...ok, array: { tasks: '0-3' }, resources: { nodes: 2 } },
      'resources.nodes: the tasks of an array run on one node each here, this job asks for 2 nodes for each task',
    ],
    [
      { ...ok, array: { tasks: '0-3' }, resources: { tasks: 4, tasksPerNode: 1 } },
      'resources.tasksPerNode: the tasks of an array run on one node each here, this job asks for 4 nodes for each task',
    ],
    [
      { ...ok, array: { tasks: '0-100000' } },
      'array.tasks: 100001 tasks are more than the 100000 that one Job can have',
    ],
    [
      { ...ok, stdout: '/scratch/out' },
      "stdout: no file '/scratch/out' is written here, output goes to the pod's log; leave it out, or redirect in the script",
    ],
    [{ ...ok, stderr: '/scratch/%j.err' }, "stderr: no file '/scratch/%j.err' is written here"],
    [{ script: script(MAX_SCRIPT_BYTES + 2) }, 'script: has 204802 bytes, at most 204800 are possible on Kubernetes'],
    [
      { ...ok, env: { A: 'x'.repeat(131_070) } },
      'env: A has 131073 bytes, at most 131072 are possible on Kubernetes, with its name',
    ],
    [
      { ...ok, env: { A: 'x'.repeat(120_000), B: 'x'.repeat(120_000) } },
      'env: has 240006 bytes, at most 204800 are possible on Kubernetes',
    ],
    [
      { command: ['echo', 'x'.repeat(131_072)] },
      'command: one argument has 131073 bytes, at most 131072 are possible on Kubernetes',
    ],
    [
      { command: ['echo', 'x'.repeat(120_000), 'x'.repeat(120_000)] },
      'command: has 240007 bytes, at most 204800 are possible on Kubernetes',
    ],
    [
      { ...ok, resources: { nodes: 3000 } },
      'resources.nodes: the list of node names has 217889 bytes, at most 131008 are possible on Kubernetes',
    ],
    [{ command: ['\ud800'] }, 'script, command and env: the text is not valid Unicode'],
    [{ ...ok, needs: ['scratch'] }, "needs: this cluster's agent has no volume 'scratch'"],
    [ok, 'image: the job names none, and this cluster has no default one', { defaultImage: undefined }],
    [
      { ...ok, image: 'other' },
      "image: 'other' is not allowed on this cluster, whose agent allows registry.example/base:1",
    ],
    [ok, "this cluster's agent has no pool 'gpu', there is 'default'", {}, { pool: 'gpu' }],
    [
      { ...ok, native: { kubernetes: { pool: 'gpu' } } },
      "native.kubernetes.pool: there is no pool 'gpu', there is 'default'",
    ],
    [
      { ...ok, native: { kubernetes: { queue: 'night' } } },
      "native.kubernetes.queue: there is no LocalQueue 'night' for the group 'physics/astro', there is 'day'",
      { queue: 'day' },
    ],
    [
      { ...ok, native: { kubernetes: { serviceAccountName: 'admin' } } },
      "native.kubernetes.serviceAccountName: this cluster's agent does not allow 'admin'",
    ],
    [
      { ...ok, native: { kubernetes: { priorityClassName: 'system-node-critical' } } },
      "native.kubernetes.priorityClassName: this cluster's agent does not allow 'system-node-critical'",
    ],
    [
      { ...ok, native: { kubernetes: { kueuePriorityClassName: 'high' } } },
      "native.kubernetes.kueuePriorityClassName: this cluster's agent does not allow 'high'",
      { queue: 'day' },
    ],
    [
      { ...ok, native: { kubernetes: { kueuePriorityClassName: 'high' } } },
      'native.kubernetes.kueuePriorityClassName: jobs of this group do not go through Kueue here',
      { allowedPriorityClasses: ['high'] },
    ],
    [{ ...ok, native: { kubernetes: { hostNetwork: true } } }, 'native.kubernetes.hostNetwork is not an option'],
    [
      { ...ok, native: { kubernetes: { nodeSelector: { pool: 'cpu' } } } },
      "native.kubernetes.nodeSelector: asks for 'pool=cpu', the nodes of this pool have 'gpu'",
      { pools: { gpu: { nodeSelector: { pool: 'gpu' } } } },
    ],
    [
      { ...ok, native: { kubernetes: { nodeSelector: { 'a b': 'c' } } } },
      "native.kubernetes.nodeSelector: 'a b=c' is not a label that a node can have",
    ],
    [
      { ...ok, resources: { gpusPerNode: 1, gpuType: 'Tesla V100' } },
      "resources.gpuType: 'nvidia.com/gpu.product=Tesla V100' is not a label that a node can have",
    ],
    [
      { ...ok, resources: { nodes: 2, cpusPerTask: 3 } },
      "resources: the job asks for 6 CPUs, this cluster's agent allows at most 4 for one task",
      { maxCpusPerTask: 4 },
    ],
    [
      { ...ok, resources: { memoryMiBPerNode: 101 } },
      "resources: the job asks for 101 MiB of memory, this cluster's agent allows at most 100 for one task",
      { maxMemoryMiB: 100 },
    ],
    [
      { ...ok, resources: { gpusPerNode: 1 } },
      "resources.gpusPerNode: the job asks for 1 GPUs, this cluster's agent allows at most 0 for one task",
      { maxGpus: 0 },
    ],
  ];

  it.each(cases.map(([input, sentence, config, changes]) => ({ input, sentence, config, changes })))(
    '$sentence',
    ({ input, sentence, config, changes }) => {
      const result = answer(input, config, changes);
      expect('refusal' in result ? result.refusal : 'a Job').toContain(sentence);
    },
  );
});

describe('what is just possible is taken', () => {
  it.each<[JobSpecInput, KubernetesConfigInput?, object?]>([
    [{ script: script(MAX_SCRIPT_BYTES) }],
    [{ ...ok, env: { A: 'x'.repeat(131_069) } }],
    [{ command: ['echo', 'x'.repeat(131_071)] }],
    [{ ...ok, array: { tasks: '1-100000' } }],
    [{ ...ok, stdout: 'relative-%j.out', stderr: '/dev/null' }],
    [{ ...ok, native: { kubernetes: { pool: 'gpu' } } }, { queue: 'day', pools: { gpu: {} } }, { pool: 'day' }],
    [{ ...ok, native: { kubernetes: { serviceAccountName: 'runner' } } }, { allowedServiceAccounts: ['runner'] }],
    [{ ...ok, native: { slurm: { qos: 'x' } } }],
  ])('%#', (input, config, changes) => {
    expect(answer(input, config, changes)).toHaveProperty('job');
  });
});
