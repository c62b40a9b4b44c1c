import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { NATIVE_KUBERNETES_OPTIONS } from '@switchyard/core/spec/native-options.ts';
import { describe, expect, it } from 'vitest';
import type { KubernetesConfigInput } from '../config.ts';
import { jobManifest } from './job-manifest.ts';
import { jobIn, makeConfig, makeOrder } from './testing/make-order.ts';

/**
 * Pod Security Standards, `restricted` (kubernetes.io/docs/concepts/security/pod-security-standards): every field that it restricts, and
 * every field that a pod of ours may have at all. A new one must be added here by somebody who looked it up.
 */
const POD_FIELDS = [
  ...['activeDeadlineSeconds', 'affinity', 'automountServiceAccountToken', 'containers', 'enableServiceLinks'],
  ...[
    'imagePullSecrets',
    'nodeSelector',
    'priorityClassName',
    'restartPolicy',
    'securityContext',
    'serviceAccountName',
  ],
  ...['shareProcessNamespace', 'subdomain', 'terminationGracePeriodSeconds', 'tolerations', 'volumes'],
];
const CONTAINER_FIELDS = [
  ...['args', 'command', 'env', 'image', 'imagePullPolicy', 'name', 'resources', 'securityContext', 'volumeMounts'],
  'workingDir',
];
const VOLUME_TYPES = ['downwardAPI', 'emptyDir', 'persistentVolumeClaim'];

const everything: JobSpecInput = {
  ...{ name: 'all', script: '#!/bin/sh\n', image: 'registry.example/base:1', workdir: '/scratch/ada', needs: ['apps'] },
  ...{ env: { A: '$(B)' }, stdout: 'out', constraints: { features: ['disk=ssd'] } },
  resources: { nodes: 2, gpusPerNode: 1, gpuType: 'A100', memoryMiBPerNode: 100, walltimeSeconds: 60 },
  native: {
    kubernetes: {
      ...{ queue: 'main', pool: 'gpu', priorityClassName: 'high', kueuePriorityClassName: 'high' },
      ...{ serviceAccountName: 'runner', ephemeralStorageMiB: 10, shmSizeMiB: 20, nodeSelector: { a: 'b' } },
    },
  },
};
const file: KubernetesConfigInput = {
  ...{ queue: 'main', allowedServiceAccounts: ['runner'], allowedPriorityClasses: ['high'], fsGroup: 0 },
  ...{ imagePullSecrets: ['registry'], runAsUser: 1000, runAsGroup: 1000 },
  pools: { gpu: { nodeSelector: { pool: 'gpu' }, tolerations: [{ operator: 'Exists' }] } },
  volumes: {
    scratch: { claim: 'scratch', mountPath: '/scratch', subPath: 'x' },
    apps: { claim: 'apps', mountPath: '/apps', readOnly: true },
  },
};

describe('Pod Security restricted', () => {
  it('is tried with every native option', () => {
    expect(Object.keys(everything.native!.kubernetes!).sort()).toEqual(Object.keys(NATIVE_KUBERNETES_OPTIONS).sort());
  });

  it.each<[string, JobSpecInput, KubernetesConfigInput]>([
    ['a plain job', { command: ['true'] }, {}],
    ['an array', { script: '#!/bin/sh\n', array: { tasks: '0-9' } }, {}],
    ['a job with everything', everything, file],
  ])('%s passes it, field by field', (_, input, config) => {
    const { template } = jobIn(jobManifest(makeOrder(input), makeConfig(config), { cluster: 'east' })).spec;
    const { spec } = template;
    expect(POD_FIELDS).toEqual(expect.arrayContaining(Object.keys(spec)));
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.securityContext?.runAsNonRoot).toBe(true);
    expect(spec.securityContext?.runAsUser).toBeGreaterThan(0);
    expect(spec.securityContext?.seccompProfile).toEqual({ type: 'RuntimeDefault' });
    expect(['fsGroup', 'fsGroupChangePolicy', 'runAsGroup', 'runAsNonRoot', 'runAsUser', 'seccompProfile']).toEqual(
      expect.arrayContaining(Object.keys(spec.securityContext ?? {})),
    );
    for (const volume of spec.volumes ?? []) {
      const types = Object.keys(volume).filter((key) => key !== 'name');
      expect(types).toHaveLength(1);
      expect(VOLUME_TYPES).toContain(types[0]);
    }
    expect(spec.containers).toHaveLength(1);
    const [container] = spec.containers;
    expect(CONTAINER_FIELDS).toEqual(expect.arrayContaining(Object.keys(container!)));
    expect(container!.securityContext).toEqual({
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    // The old way of saying seccomp and AppArmor.
    expect(
      Object.keys(template.metadata?.annotations ?? {}).filter((name) => !name.startsWith('switchyard.dev/')),
    ).toEqual([]);
  });
});
