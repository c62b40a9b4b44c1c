import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../slurm/run-program.ts';
import { until } from '../support/until.ts';
import { SIMULATED } from './testbed/simulated-pods.ts';
import {
  busyJob,
  ends,
  exitCodes,
  kueueQueue,
  logOf,
  podsOf,
  processesBelow,
  restrictedContainer,
} from './testbed/test-jobs.ts';
import { type KubeCluster, type KubeNode, kubernetesAvailable, startKubeCluster } from './testbed.ts';

const kubernetes = kubernetesAvailable();

type NodeObject = {
  metadata: { labels: Record<string, string> };
  status: { allocatable: Record<string, string>; conditions: { type: string; status: string }[] };
};
type Listed = { items: { metadata: { uid: string; name: string }; spec: { suspend?: boolean } }[] };

describe.skipIf(!kubernetes.ok)(`the Kubernetes test bed (${kubernetes.why})`, () => {
  let cluster: KubeCluster;
  let second: KubeNode;

  beforeAll(async () => {
    cluster = await startKubeCluster({ name: 'bed', nodeMonitorGraceSeconds: 4 });
    await Promise.all([
      cluster.addNode('n1', { cpus: 8, memoryMiB: 65_536, labels: { disk: 'fast' } }),
      cluster.addNode('n2', { cpus: 1 }).then((node) => {
        second = node;
      }),
      cluster.startDns(),
    ]);
  });
  afterAll(() => cluster?.close());

  it('shows nodes of the size that was asked for, and their labels', async () => {
    const { body } = await cluster.api<NodeObject>('GET', '/api/v1/nodes/n1');
    expect(body.status.allocatable).toMatchObject({ cpu: '8', memory: '64Gi' });
    expect(body.metadata.labels['disk']).toBe('fast');
  });

  it('runs a Job on each node, keeps exit codes and logs', async () => {
    await cluster.apply([
      busyJob(cluster, 'good', { node: 'n1', script: 'echo from n1' }),
      busyJob(cluster, 'bad', { node: 'n2', script: 'echo from n2; exit 7' }),
    ]);
    expect(await ends(cluster, 'default', ['good', 'bad'])).toEqual(['Complete', 'Failed']);
    expect(await exitCodes(cluster, 'default', 'bad')).toEqual([7]);
    expect(await logOf(cluster, 'default', 'good')).toBe('from n1\n');
    expect(await logOf(cluster, 'default', 'bad')).toBe('from n2\n');
  });

  it('lets pods of two nodes find each other by name', async () => {
    const meta = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'pair' } };
    const selector = { 'job-name': 'pair' };
    await cluster.apply([{ ...meta, spec: { clusterIP: 'None', publishNotReadyAddresses: true, selector } }]);
    const first = 'pair-0.pair.default.svc.cluster.local';
    // busybox-static finds no names by itself; only its nslookup asks the name server.
    const script = `
      if [ "$JOB_COMPLETION_INDEX" = 0 ]; then echo "one for you" | nc -l -p 4000; exit; fi
      for i in $(seq 100); do
        to=$(nslookup ${first} | awk '/^Name/ {found=1} found && /^Address/ {print $NF}')
        if [ -n "$to" ] && said=$(nc -w 1 "$to" 4000) && [ -n "$said" ]; then echo "$said"; exit; fi
        sleep 0.2
      done; exit 1`;
    const spread = {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: selector },
        },
      ],
    };
    await cluster.apply([busyJob(cluster, 'pair', { script, pod: { subdomain: 'pair', ...spread }, indexes: 2 })]);
    expect(await ends(cluster, 'default', ['pair'])).toEqual(['Complete']);
    const pods = await podsOf(cluster, 'default', 'pair');
    expect(new Set(pods.map((pod) => pod.spec.nodeName))).toEqual(new Set(['n1', 'n2']));
    const log = `/api/v1/namespaces/default/pods/${pods.find((pod) => pod.metadata.name.startsWith('pair-1'))?.metadata.name}/log`;
    expect((await cluster.api('GET', log)).body).toBe('one for you\n');
  });

  it('refuses root in a restricted namespace, runs others, and shares a folder with the test', async () => {
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await cluster.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'safe', labels } }]);
    const shared = join(cluster.dir, 'shared');
    await cluster.sharedVolume('safe', 'scratch', shared);
    await runProgram(['chmod', '1777', shared]);
    const pod = { metadata: { name: 'rooted' }, spec: { containers: [{ name: 'main', image: cluster.image }] } };
    const refused = await cluster.api<{ message: string }>('POST', '/api/v1/namespaces/safe/pods', pod);
    expect(refused).toMatchObject({ status: 403, body: { message: expect.stringContaining('restricted') } });

    const volumes = [{ name: 'scratch', persistentVolumeClaim: { claimName: 'scratch' } }];
    await cluster.apply([
      busyJob(cluster, 'writer', {
        namespace: 'safe',
        script: 'id -u > /scratch/from-pod',
        pod: { volumes },
        container: { ...restrictedContainer(1234), volumeMounts: [{ name: 'scratch', mountPath: '/scratch' }] },
      }),
    ]);
    expect(await ends(cluster, 'safe', ['writer'])).toEqual(['Complete']);
    expect(readFileSync(join(shared, 'from-pod'), 'utf8')).toBe('1234\n');
  });

  it('gives a service account only the rights that are bound to it, also to kubectl', async () => {
    const file = await cluster.kubeconfigFor('default', 'agent', { server: cluster.apiUrl });
    const asAgent = await cluster.kubectl([`--kubeconfig=${file}`, 'auth', 'whoami', '-o', 'name']);
    expect(asAgent.code).toBe(0);
    const jobs = await cluster.kubectl([`--kubeconfig=${file}`, 'get', 'jobs']);
    expect(jobs.code).toBe(1);
    expect(jobs.stderr).toContain('system:serviceaccount:default:agent');
  });

  it('keeps everything when the API server is killed', async () => {
    const before = await cluster.api<Listed>('GET', '/apis/batch/v1/jobs');
    await cluster.component('apiserver').kill('SIGKILL');
    await expect(cluster.api('GET', '/readyz')).rejects.toThrow();
    await cluster.component('apiserver').start();
    const after = await cluster.api<Listed>('GET', '/apis/batch/v1/jobs');
    expect(after.body.items.map((job) => job.metadata.uid)).toEqual(before.body.items.map((job) => job.metadata.uid));
  });

  it('simulates nodes, and lets their pods say how they end', async () => {
    await cluster.addSimulatedNodes(20, { jobSeconds: 0.2, taints: [{ key: 'simulated', effect: 'NoSchedule' }] });
    const pod = {
      tolerations: [{ key: 'simulated', operator: 'Exists' }],
      nodeSelector: { 'testbed/simulated': 'yes' },
    };
    const env = [{ name: SIMULATED.exitCodeVariable, value: '9' }];
    await cluster.apply([
      busyJob(cluster, 'many', { script: 'true', pod, indexes: 50 }),
      busyJob(cluster, 'nine', { script: 'true', pod, container: { env } }),
    ]);
    expect(await ends(cluster, 'default', ['many', 'nine'])).toEqual(['Complete', 'Failed']);
    expect(await exitCodes(cluster, 'default', 'nine')).toEqual([9]);
    expect(await logOf(cluster, 'default', 'nine')).toBe('simulated\n');
  });

  it('admits by Kueue what the quota allows', async () => {
    await cluster.startKueue();
    await cluster.apply(kueueQueue('queue', '1'));
    const labels = { 'kueue.x-k8s.io/queue-name': 'queue' };
    const container = { resources: { requests: { cpu: '1', memory: '10Mi' } } };
    const each = { labels, suspend: true, container, script: 'sleep 1', node: 'n1' };
    await cluster.apply([busyJob(cluster, 'first', each), busyJob(cluster, 'other', each)]);
    const running = await until('one of two Jobs is admitted', async () => {
      const { body } = await cluster.api<Listed>('GET', '/apis/batch/v1/namespaces/default/jobs');
      const mine = body.items.filter((job) => ['first', 'other'].includes(job.metadata.name));
      return mine.some((job) => !job.spec.suspend) && mine.filter((job) => !job.spec.suspend).length;
    });
    expect(running).toBe(1);
    expect(await ends(cluster, 'default', ['first', 'other'])).toEqual(['Complete', 'Complete']);
  });

  it('loses a node at once and gets it back', async () => {
    await cluster.apply([busyJob(cluster, 'lost', { node: 'n2', script: 'sleep 600' })]);
    await until('it runs', async () => (await podsOf(cluster, 'default', 'lost'))[0]?.status.phase === 'Running');
    expect(processesBelow(join(cluster.dir, 'nodes/n2/'))).not.toEqual([]);
    await second.kill();
    expect(processesBelow(join(cluster.dir, 'nodes/n2/'))).toEqual([]);
    const isReady = async () => {
      const { body } = await cluster.api<NodeObject>('GET', '/api/v1/nodes/n2');
      return body.status.conditions.find((each) => each.type === 'Ready')?.status;
    };
    await until('the cluster has noticed', async () => (await isReady()) === 'Unknown');
    await second.start();
    expect(await isReady()).toBe('True');
    expect(await ends(cluster, 'default', ['lost'])).toEqual(['Failed']);
  });

  it('leaves no process, mount, link, control group or file', async () => {
    await cluster.close();
    expect(existsSync(cluster.dir)).toBe(false);
    expect(processesBelow(cluster.dir)).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(cluster.dir);
    expect(globSync(`/sys/fs/cgroup{,/*}/${basename(cluster.dir)}`)).toEqual([]);
    const network = new URL(cluster.apiUrl).hostname.replace(/\d+$/, '');
    expect((await runProgram(['ip', '-oneline', 'address'])).stdout).not.toContain(` ${network}`);
  });
});
