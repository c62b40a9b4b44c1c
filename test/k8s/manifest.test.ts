import { chmodSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, Pod, Status } from '@switchyard/agent-k8s/api-types.ts';
import { type KubernetesConfigInput, kubernetesConfigSchema } from '@switchyard/agent-k8s/config.ts';
import { headlessService } from '@switchyard/agent-k8s/manifest/headless-service.ts';
import { jobManifest } from '@switchyard/agent-k8s/manifest/job-manifest.ts';
import { MAX_SCRIPT_BYTES } from '@switchyard/agent-k8s/manifest/refusal.ts';
import { GO_ANNOTATION, JOB_NAME_LABEL, nodeNameOf } from '@switchyard/agent-k8s/names.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeOrder } from '../behaviour/make-order.ts';
import { until } from '../support/until.ts';
import { type KubeCluster, kubernetesAvailable, startKubeCluster } from './testbed.ts';

const kubernetes = kubernetesAvailable();
const NAMESPACE = 'jobs';

/** What jobs become, on a real cluster: accepted with strict validation, let in by Pod Security `restricted`, and run. */
describe.skipIf(!kubernetes.ok)(`manifests on a real Kubernetes (${kubernetes.why})`, () => {
  let kube: KubeCluster;
  let shared: string;

  beforeAll(async () => {
    kube = await startKubeCluster({ name: 'manifest' });
    await Promise.all([kube.addNode('n1', { cpus: 4 }), kube.addNode('n2', { cpus: 4 }), kube.startDns()]);
    const enforce = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await kube.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: enforce } },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'other', namespace: NAMESPACE },
        spec: { ports: [{ port: 1 }] },
      },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'runner', namespace: NAMESPACE } },
      { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'high' }, value: 100 },
    ]);
    shared = mkdtempSync(join(kube.dir, 'shared-'));
    chmodSync(shared, 0o777);
    await kube.sharedVolume(NAMESPACE, 'scratch-claim', shared);
    for (const node of ['n1', 'n2']) {
      const status = { capacity: { 'example.org/gpu': '1' } };
      const merge = { contentType: 'application/merge-patch+json' };
      const labels = { 'example.org/fast': '', 'gpu-type': 'A100' };
      await kube.api('PATCH', `/api/v1/nodes/${node}`, { metadata: { labels } }, merge);
      await kube.api('PATCH', `/api/v1/nodes/${node}/status`, { status }, merge);
    }
    await until('the default service account is there', async () => {
      const path = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/default`;
      return (await kube.api('GET', path)).status === 200;
    });
  });
  afterAll(() => kube?.close());

  function manifest(input: JobSpecInput, config: KubernetesConfigInput = {}): Job {
    const section = kubernetesConfigSchema.parse({
      ...{ namespace: NAMESPACE, defaultImage: kube.image, terminationGraceSeconds: 1, defaultMemoryMiB: 32 },
      ...config,
    });
    const made = jobManifest(makeOrder(input), section, { cluster: 'east' });
    if ('refusal' in made) throw new Error(made.refusal);
    return made.job;
  }

  async function create(job: Job): Promise<Job> {
    const path = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs?fieldValidation=Strict`;
    const { status, body } = await kube.api<Job & Status>('POST', path, job);
    expect(body.message ?? '').toBe('');
    expect(status).toBe(201);
    return body;
  }

  async function podsOf({ metadata }: Job): Promise<readonly Pod[]> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=${JOB_NAME_LABEL}%3D${metadata.name}`;
    const { items } = (await kube.api<{ items: Pod[] }>('GET', path)).body;
    return items.sort((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1));
  }

  /** Waits for the end of a Job; the logs of its pods in the order of their indexes. */
  async function outputs(job: Job): Promise<string[]> {
    await until(
      `${job.metadata.name} has ended`,
      async () => {
        const path = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs/${job.metadata.name}`;
        const { status } = (await kube.api<Job>('GET', path)).body;
        const ended = status?.conditions?.find(({ type, status: is }) => is === 'True' && /Complete|Failed/.test(type));
        if (ended?.type === 'Failed') throw new Error(JSON.stringify([ended, await podsOf(job)], null, 1));
        return ended !== undefined;
      },
      { timeoutMs: 90_000, describe: async () => (await podsOf(job)).map(({ status }) => status) },
    );
    const pods = await podsOf(job);
    return Promise.all(
      pods.map(
        async ({ metadata }) =>
          (await kube.api<string>('GET', `/api/v1/namespaces/${NAMESPACE}/pods/${metadata.name}/log`)).body,
      ),
    );
  }

  it('a script is run by its own interpreter, with nothing changed in it', async () => {
    const script = [
      '#!/bin/sh -u',
      'echo "$0 $# $- é"',
      "echo 'literal $(HOME) $$ $HOME'",
      'id -u; id -g; pwd; echo "$HOME"; echo x >"$HOME/file" && cat "$HOME/file"',
      'echo "$YARD_JOB_NAME $YARD_TASK_INDEX $YARD_NODES $YARD_NODE_RANK $YARD_NODE_NAME $YARD_NODELIST $A"',
      // The API server's own address is in every container, that of other services is not.
      'ls /var/run/secrets 2>/dev/null; env | grep SERVICE_HOST | grep -vc ^KUBERNETES_',
      'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\\t"',
      'exit 0',
    ].join('\n');
    const job = await create(manifest({ name: 'relax', script, env: { A: '$(HOME) $$ $HOME' } }));
    const [text] = await outputs(job);
    const [pod] = await podsOf(job);
    const [, node] = /relax 0 1 0 (\S+)/.exec(text!)!;
    expect(text!.split('\n')).toEqual([
      ...['/yard/script 0 u é', 'literal $(HOME) $$ $HOME', '65532', '65532', '/', '/tmp', 'x'],
      `relax 0 1 0 ${node} ${pod!.metadata.name} $(HOME) $$ $HOME`,
      ...['0', 'CapEff:0000000000000000', 'NoNewPrivs:1', 'Seccomp:2', ''],
    ]);
  });

  it('an argv arrives word by word', async () => {
    const words = ['$HOME', '$(HOME)', '$$', '$$(HOME)', '', 'a b', "it's", '"', 'line\nbreak', '$((1+1))'];
    const [text] = await outputs(await create(manifest({ command: ['printf', '<%s>', ...words] })));
    expect(text).toBe(words.map((word) => `<${word}>`).join(''));
  });

  it('the longest script and the largest variables are just possible', async () => {
    const head = '#!/bin/sh\nwc -c <"$0"; echo "$BIG" | wc -c; echo "$BIGGER" | wc -c; exit 0\n';
    const script = head + 'x'.repeat(MAX_SCRIPT_BYTES - head.length);
    const env = { BIG: 'x'.repeat(70_000), BIGGER: 'y'.repeat(131_072 - 'BIGGER='.length - 1) };
    const [text] = await outputs(await create(manifest({ script, env })));
    expect(text).toBe(`${MAX_SCRIPT_BYTES}\n70001\n${131_072 - 7}\n`);
  });

  it('every task of an array knows which one it is', async () => {
    const script =
      '#!/bin/sh\necho "$YARD_TASK_INDEX $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_STEP"\n';
    const job = await create(manifest({ script, array: { tasks: '3-9:3,20', maxRunning: 2 } }));
    expect(await outputs(job)).toEqual(['3 3 4 1\n', '6 6 4 1\n', '9 9 4 1\n', '20 20 4 1\n']);
  });

  it('no node of a gang starts before the word to go; then rank 1 speaks to rank 0 by name', async () => {
    const script = [
      '#!/bin/sh',
      'date +%s >"/scratch/started-$YARD_NODE_RANK"',
      'first=$(echo "$YARD_NODELIST" | cut -d, -f1)',
      '[ "$YARD_NODE_RANK" = 0 ] && { nc -l -p 7777; exit 0; }',
      'address=$(nslookup "$first.jobs.svc.cluster.local" | sed -n "s/^Address: *//p" | tail -n 1)',
      // From a file: nc ends when the other side has nothing to say, whether its own words have come or not.
      'echo "hello from $YARD_NODE_NAME" >/tmp/hello',
      'for try in 1 2 3 4 5 6 7 8 9; do nc -w 5 "$address" 7777 </tmp/hello && exit 0; sleep 1; done',
      'exit 1',
    ].join('\n');
    const volumes = { scratch: { claim: 'scratch-claim', mountPath: '/scratch' } };
    const job = await create(manifest({ script, needs: ['scratch'], resources: { nodes: 2 } }, { volumes }));
    const service = await kube.api(
      'POST',
      `/api/v1/namespaces/${NAMESPACE}/services?fieldValidation=Strict`,
      headlessService(job),
    );
    expect(service.status).toBe(201);
    const pods = await until('both pods run', async () => {
      const all = await podsOf(job);
      return all.length === 2 && all.every(({ status }) => status?.phase === 'Running') && all;
    });
    expect(pods.map(({ spec }) => `${spec.hostname}.${spec.subdomain}`)).toEqual([
      nodeNameOf(job.metadata.name, 0),
      nodeNameOf(job.metadata.name, 1),
    ]);
    expect(new Set(pods.map(({ spec }) => spec.nodeName)).size).toBe(2);
    // Both run: a launcher that does not wait would have started its payload by then.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(() => readFileSync(join(shared, 'started-0'))).toThrow('ENOENT');
    const go = { metadata: { annotations: { [GO_ANNOTATION]: 'now' } } };
    const merge = { contentType: 'application/merge-patch+json' };
    for (const { metadata } of pods)
      await kube.api('PATCH', `/api/v1/namespaces/${NAMESPACE}/pods/${metadata.name}`, go, merge);
    const from = performance.now();
    await until(
      'both have started',
      () => readFileSync(join(shared, 'started-0')) && readFileSync(join(shared, 'started-1')),
    );
    // How long the kubelet needs to write the annotation into the file: far less than the launcher's margin.
    expect(performance.now() - from).toBeLessThan(60_000);
    expect((await outputs(job))[0]).toBe(`hello from ${pods[1]!.spec.nodeName}\n`);
  });

  it('a job with everything is let in, and runs', async () => {
    const config: KubernetesConfigInput = {
      ...{ allowedServiceAccounts: ['runner'], allowedPriorityClasses: ['high'], imagePullSecrets: ['none'] },
      ...{ runAsUser: 1234, runAsGroup: 2345, fsGroup: 3456, gpuResource: 'example.org/gpu', gpuTypeLabel: 'gpu-type' },
      pools: { fast: { nodeSelector: { 'kubernetes.io/os': 'linux' }, tolerations: [{ operator: 'Exists' }] } },
      volumes: { scratch: { claim: 'scratch-claim', mountPath: '/scratch', subPath: 'ada' } },
    };
    const input: JobSpecInput = {
      script:
        '#!/bin/sh\nid -u; id -g; id -G; pwd; echo out >file && cat file; df -m /dev/shm | tail -n 1 | tr -s " " | cut -d" " -f2\n',
      ...{ image: kube.image, workdir: '/scratch/work', needs: ['scratch'], stdout: 'out-%j', env: { A: 'b' } },
      resources: { cpusPerTask: 2, memoryMiBPerNode: 64, gpusPerNode: 1, gpuType: 'A100', walltimeSeconds: 600 },
      constraints: { features: ['example.org/fast', 'kubernetes.io/os=linux'] },
      native: {
        kubernetes: {
          ...{ pool: 'fast', priorityClassName: 'high', serviceAccountName: 'runner', shmSizeMiB: 16 },
          nodeSelector: { 'kubernetes.io/os': 'linux' },
        },
      },
    };
    const withDisk = { ...input, native: { kubernetes: { ...input.native!.kubernetes, ephemeralStorageMiB: 10 } } };
    const dryRun = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs?fieldValidation=Strict&dryRun=All`;
    expect((await kube.api('POST', dryRun, manifest(withDisk, config))).status).toBe(201);
    mkdirWritable(join(shared, 'ada', 'work'));
    const [text] = await outputs(await create(manifest(input, config)));
    expect(text!.split('\n')).toEqual(['1234', '2345', '2345 3456', '/scratch/work', 'out', '16', '']);
    expect(readFileSync(join(shared, 'ada/work/file'), 'utf8')).toBe('out\n');
  });
});

/** Whatever the umask. */
function mkdirWritable(path: string): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o777);
}
