import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { describe, expect, it } from 'vitest';
import type { KubernetesConfigInput } from '../config.ts';
import { jobManifest } from './job-manifest.ts';
import { readOrderNote } from './order-annotation.ts';
import { jobIn, makeConfig, makeOrder } from './testing/make-order.ts';

const context = { cluster: 'east' };
const SCRIPT = '#!/bin/sh\necho "$HOME $(HOME) $$"\n';
const NAME = 'ydtest-agiaaaaaabyabaaaaaaaaaaaae';

function job(input: JobSpecInput, config: KubernetesConfigInput = {}, changes = {}) {
  return jobIn(jobManifest(makeOrder(input, changes), makeConfig(config), context));
}

describe('the Job of a run', () => {
  it('is one object, whole', async () => {
    const whole = job({ name: 'relax', script: SCRIPT, resources: { walltimeSeconds: 60 } });
    await expect(`${JSON.stringify(whole, null, 2)}\n`).toMatchFileSnapshot('fixtures/plain-job.json');
  });

  it('is the same for the same order', () => {
    const input: JobSpecInput = { command: ['true'], env: { B: '1', A: '2' }, array: { tasks: '0-9' } };
    expect(JSON.stringify(job(input))).toBe(JSON.stringify(job(input)));
  });

  it('carries what an agent that knows nothing needs', () => {
    const { annotations, labels, name } = job({ command: ['true'] }).metadata;
    expect(name).toBe(makeOrder({ command: ['true'] }).marker);
    expect(labels).toEqual({
      'app.kubernetes.io/managed-by': 'switchyard',
      'switchyard.dev/federation': 'test',
      'switchyard.dev/run': '01900000-0000-7000-8000-000000000001',
      'switchyard.dev/job': '1042',
    });
    const { spec: _, ...order } = makeOrder({ command: ['true'] });
    expect(readOrderNote(annotations?.['switchyard.dev/order'])).toEqual({ ...order, gang: 0, isArray: false });
    expect(annotations?.['switchyard.dev/spec-hash']).toBe(order.specHash);
  });

  it('is never tried again by the cluster', () => {
    const plain = job({ command: ['true'] });
    expect(plain.spec).toMatchObject({
      backoffLimit: 0,
      podReplacementPolicy: 'Failed',
      completions: 1,
      parallelism: 1,
    });
    expect(plain.spec.completionMode).toBe('NonIndexed');
    expect(plain.spec.template.spec.restartPolicy).toBe('Never');
  });

  it('is indexed for an array, with maxRunning at a time', () => {
    const array = job({ command: ['true'], array: { tasks: '0-999', maxRunning: 50 } }, {}, { tasks: '100-299' });
    expect(array.spec).toMatchObject({ completionMode: 'Indexed', completions: 200, parallelism: 50 });
    expect(array.spec).toMatchObject({ backoffLimitPerIndex: 0 });
    expect(array.spec).not.toHaveProperty('backoffLimit');
    expect(array.spec).not.toHaveProperty('maxFailedIndexes');
    expect(array.spec.template.spec.containers[0]!.args).toEqual(['100-299', '0', 'true']);
    expect(job({ command: ['true'], array: { tasks: '5' } }).spec).toMatchObject({ completions: 1, parallelism: 1 });
  });

  it('gives the launcher the tasks in the one form that it reads', () => {
    const changes = { tasks: '09,08,7' };
    const array = job({ command: ['true'], array: { tasks: '0-9' } }, {}, changes);
    expect(array.spec.template.spec.containers[0]!.args![0]).toBe('7-9');
    expect(readOrderNote(array.metadata.annotations?.['switchyard.dev/order'])?.tasks).toBe('09,08,7');
  });

  it('is a gang of pods on as many nodes for several nodes', () => {
    const gang = job({ script: SCRIPT, resources: { nodes: 2, cpusPerTask: 4, walltimeSeconds: 60 } });
    expect(gang.spec).toMatchObject({ completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimit: 0 });
    const { subdomain, activeDeadlineSeconds, containers, affinity } = gang.spec.template.spec;
    expect(subdomain).toBe(NAME);
    // The walltime begins with the word to go, for which they wait 300 s and the margin of the kubelet.
    expect(activeDeadlineSeconds).toBe(60 + 300 + 120);
    expect(containers[0]!.env).toContainEqual({ name: 'YARD_NODELIST', value: `${NAME}-0.${NAME},${NAME}-1.${NAME}` });
    expect(affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution).toEqual([
      {
        labelSelector: { matchLabels: { 'switchyard.dev/run': '01900000-0000-7000-8000-000000000001' } },
        topologyKey: 'kubernetes.io/hostname',
      },
    ]);
    expect(readOrderNote(gang.metadata.annotations?.['switchyard.dev/order'])?.gang).toBe(2);
  });

  it('is created suspended for a LocalQueue, and only then', () => {
    const config: KubernetesConfigInput = {
      bindings: [{ group: 'physics', namespace: 'physics', queue: 'astro' }],
      allowedPriorityClasses: ['urgent'],
    };
    const queued = job({ command: ['true'], native: { kubernetes: { kueuePriorityClassName: 'urgent' } } }, config);
    expect(queued.spec.suspend).toBe(true);
    expect(queued.metadata).toMatchObject({
      namespace: 'physics',
      labels: { 'kueue.x-k8s.io/queue-name': 'astro', 'kueue.x-k8s.io/priority-class': 'urgent' },
    });
    expect(queued.spec.template.metadata?.labels).not.toHaveProperty('kueue.x-k8s.io/queue-name');
    expect(job({ command: ['true'] }).spec).not.toHaveProperty('suspend');
  });

  it('asks for exactly what the job asks for, in whole numbers', () => {
    const gpus = { gpusPerNode: 2, gpuType: 'A100', memoryMiBPerTask: 100, tasks: 3, cpusPerTask: 2 };
    const { containers, nodeSelector } = job({ command: ['true'], resources: gpus }).spec.template.spec;
    const amounts = { cpu: '6', memory: '300Mi', 'nvidia.com/gpu': '2' };
    expect(containers[0]!.resources).toEqual({ requests: amounts, limits: amounts });
    expect(nodeSelector).toEqual({ 'nvidia.com/gpu.product': 'A100' });
    const own = { gpuResource: 'amd.com/gpu', defaultMemoryMiB: 64 };
    const native = { kubernetes: { ephemeralStorageMiB: 5 } };
    expect(
      job({ command: ['true'], native, resources: { gpusPerNode: 1 } }, own).spec.template.spec.containers[0]!.resources
        ?.limits,
    ).toEqual({ cpu: '1', memory: '64Mi', 'amd.com/gpu': '1', 'ephemeral-storage': '5Mi' });
    const uneven = { tasks: 3, nodes: 2, cpusPerTask: 2, memoryMiBPerCpu: 10 };
    expect(job({ command: ['true'], resources: uneven }).spec.template.spec.containers[0]!.resources?.limits).toEqual({
      cpu: '4',
      memory: '40Mi',
    });
  });

  it('mounts the volumes that the job needs or works in, and no other', () => {
    const volumes = {
      scratch: { claim: 'scratch-claim', mountPath: '/scratch' },
      apps: { claim: 'apps', mountPath: '/apps', subPath: 'v1', readOnly: true },
      'a home of an unusual name': { claim: 'home', mountPath: '/home' },
    };
    const { spec } = job({ command: ['true'], workdir: '/home/ada', needs: ['apps'] }, { volumes }).spec.template;
    expect(spec.containers[0]!.workingDir).toBe('/home/ada');
    expect(spec.volumes).toEqual([
      { name: 'tmp', emptyDir: {} },
      { name: 'volume-1', persistentVolumeClaim: { claimName: 'apps', readOnly: true } },
      { name: 'volume-2', persistentVolumeClaim: { claimName: 'home' } },
    ]);
    expect(spec.containers[0]!.volumeMounts).toEqual([
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'volume-1', mountPath: '/apps', subPath: 'v1', readOnly: true },
      { name: 'volume-2', mountPath: '/home' },
    ]);
    expect(job({ command: ['true'], workdir: '/scratch2' }, { volumes }).spec.template.spec.volumes).toHaveLength(1);
  });

  it('asks for nodes with all features, as labels', () => {
    const constraints = { features: ['disk=ssd', 'example.org/fast'] };
    expect(job({ command: ['true'], constraints }).spec.template.spec.affinity).toEqual({
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            {
              matchExpressions: [
                { key: 'disk', operator: 'In', values: ['ssd'] },
                { key: 'example.org/fast', operator: 'Exists' },
              ],
            },
          ],
        },
      },
    });
  });
});
