import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { count, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  JOBS,
  type KubeSite,
  payload,
  SHARED,
  type SharedFolder,
  sharedFolder,
  startKubeSite,
} from '../k8s/kube-site.ts';
import { kubernetesAvailable } from '../k8s/testbed.ts';
import { yard } from '../k8s/yard.ts';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from '../slurm/testbed.ts';
import { ENDED, type JobView } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import type { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const slurm = slurmAvailable();
const kubernetes = kubernetesAvailable();
const SLURMS = ['north', 'east'];
const EVERYWHERE = [...SLURMS, 'kube', 'here'];
const HOW_MANY = 300;

/** One kind of job of the mixture: what it is, how it ends, and where it may have run. */
type Sort = {
  readonly spec: (ledger: Ledger, image: string) => JobSpecInput;
  readonly exitCode: number;
  readonly failedTasks?: string;
  readonly on: readonly string[];
};

const script = (ledger: Ledger, body?: string) => ({ script: `#!/bin/sh\n${payload(ledger, body)}` });
const command = (ledger: Ledger, body?: string) => ({ command: ['/bin/sh', '-c', payload(ledger, body)] });

const SORTS: readonly Sort[] = [
  { spec: (ledger) => script(ledger), exitCode: 0, on: EVERYWHERE },
  { spec: (ledger) => command(ledger), exitCode: 0, on: EVERYWHERE },
  { spec: (ledger) => script(ledger, '(exit 3)'), exitCode: 3, on: EVERYWHERE },
  { spec: (ledger, image) => ({ ...script(ledger), image }), exitCode: 0, on: ['kube'] },
  { spec: (ledger) => ({ ...script(ledger), constraints: { kinds: ['slurm'] } }), exitCode: 0, on: SLURMS },
  {
    spec: (ledger) => ({ ...command(ledger, '(exit 41)'), env: { GREETING: "it's $(here)" } }),
    exitCode: 41,
    on: EVERYWHERE,
  },
  {
    spec: (ledger) => ({ ...script(ledger, '[ "$SLURM_ARRAY_TASK_ID" -ne 4 ]'), array: { tasks: '2-6:2' } }),
    exitCode: 1,
    failedTasks: '4',
    on: EVERYWHERE,
  },
  { spec: (ledger, image) => ({ ...command(ledger, '(exit 7)'), image }), exitCode: 7, on: ['kube'] },
  { spec: (ledger) => ({ ...script(ledger, 'sleep 1'), resources: { cpusPerTask: 2 } }), exitCode: 0, on: EVERYWHERE },
  {
    spec: (ledger) => ({ ...script(ledger), constraints: { excludeClusters: ['north', 'here'] } }),
    exitCode: 0,
    on: ['east', 'kube'],
  },
];

describe.skipIf(!slurm.ok || !kubernetes.ok)(
  `two Slurm clusters, a Kubernetes and a local one behind one endpoint (${slurm.why} ${kubernetes.why})`,
  () => {
    let shared: SharedFolder;
    let federation: Federation;
    let site: KubeSite;
    const slurms: SlurmCluster[] = [];

    beforeAll(async () => {
      shared = sharedFolder();
      site = await startKubeSite({ name: 'mixed' }, shared);
      const nodes = ['n1', 'n2'].map((name) => site.kube.addNode(name, { cpus: 8, memoryMiB: 16_000 }));
      for (const name of SLURMS)
        slurms.push(await startSlurmCluster({ name, nodes: 2, cpusPerNode: 8, memoryMiBPerNode: 16_000 }));
      await Promise.all(nodes);
      federation = await startFederation();
      const filesystems = [{ id: SHARED, pathPrefix: shared.path }];
      for (const { name, conf } of slurms)
        await federation.addCluster(name, { kind: 'slurm', slurm: { conf }, filesystems });
      await federation.addCluster('kube', { ...(await site.settings()) });
      await federation.addCluster('here', { kind: 'local', local: { cpus: 8, memoryMiB: 8000 }, filesystems });
      await federation.connected();
    });
    afterAll(async () => {
      await federation?.close();
      for (const cluster of slurms) await cluster.stop();
      await site?.close();
      shared?.remove();
    });

    const ended = async (numbers: ReadonlySet<number>) => {
      const open = async () =>
        (await federation.api.jobs()).filter((job) => numbers.has(job.number) && !ENDED.has(job.state));
      await until('all jobs end', async () => (await open()).length === 0, {
        timeoutMs: 240_000,
        everyMs: 500,
        describe: async () => ({ open: (await open()).slice(0, 5), programs: federation.describe() }),
      });
      return (await federation.api.jobs()).filter((job) => numbers.has(job.number));
    };

    test(`${HOW_MANY} mixed jobs all end as they should, each payload started once, some on every cluster`, async () => {
      const ledger = shared.ledger('mixed');
      const sortOf = (index: number) => SORTS[index % SORTS.length]!;
      const specs = Array.from({ length: HOW_MANY }, (_, index): JobSpecInput => {
        const spec = sortOf(index).spec(ledger, site.kube.image);
        const resources = { walltimeSeconds: 600, memoryMiBPerNode: 20, ...spec.resources };
        return { ...spec, name: `job-${index}`, workdir: shared.path, needs: [SHARED], stdout: '/dev/null', resources };
      });
      const accepted = await federation.api.submitMany(specs);
      const jobs = await ended(new Set(accepted.map((job) => job.number)));

      const payloads = new Map<string, readonly string[]>();
      for (const job of jobs) {
        const { exitCode, failedTasks, on } = sortOf(Number(job.name.slice(4)));
        expect({ job: job.name, ...endOf(job) }, `${job.cluster}: ${job.detail}`).toEqual({
          job: job.name,
          ...wanted(exitCode, failedTasks),
        });
        const tasks = job.taskCount === 1 ? [0] : [2, 4, 6];
        for (const task of tasks) payloads.set(`${job.number}.${task}`, on);
      }
      expect(jobs).toHaveLength(HOW_MANY);
      expect(ledger.startedTwice()).toEqual([]);
      expect([...ledger.starts().keys()].sort()).toEqual([...payloads.keys()].sort());
      for (const { number, task, cluster } of ledger.lines())
        expect({ number, task, on: payloads.get(`${number}.${task}`) }).toMatchObject({
          on: expect.arrayContaining([cluster]),
        });
      expect(ledger.lines()).toHaveLength(2 * payloads.size);
      expect([...ledger.startsPerCluster().keys()].sort()).toEqual([...EVERYWHERE].sort());
      for (const started of ledger.startsPerCluster().values()) expect(started).toBeGreaterThan(10);
    });

    test('the output of a Kubernetes job can be read when its pod is long gone', async () => {
      const text = 'first line\n\tsecond line, without an end';
      const job = await federation.api.submit({
        command: ['/bin/sh', '-c', `printf '%s' '${text}'`],
        image: site.kube.image,
        resources: { walltimeSeconds: 600 },
      });
      await ended(new Set([job.number]));
      const own = `/apis/batch/v1/namespaces/${JOBS}/jobs?labelSelector=switchyard.dev/job%3D${job.number}`;
      const pods = `/api/v1/namespaces/${JOBS}/pods?labelSelector=switchyard.dev/job%3D${job.number}`;
      const left = async (path: string) => (await site.kube.api<{ items: unknown[] }>('GET', path)).body.items.length;
      await until('its agent has removed what it left', async () => (await left(own)) + (await left(pods)) === 0, {
        timeoutMs: 150_000,
        everyMs: 500,
      });
      expect(await yard(federation, 'logs', String(job.number))).toEqual({ code: 0, stdout: text, stderr: '' });
    });
  },
);

function endOf({ state, exitCode, reason, tasks }: JobView) {
  return { state, exitCode, reason, failed: tasks.failed, succeeded: count(rangeSet(tasks.succeeded)) };
}

function wanted(exitCode: number, failedTasks: string | undefined) {
  if (exitCode === 0) return { state: 'succeeded', exitCode, reason: null, failed: '', succeeded: 1 };
  const failed = failedTasks ?? '0';
  return { state: 'failed', exitCode, reason: 'exit_code', failed, succeeded: failedTasks === undefined ? 0 : 2 };
}
