import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { NativeJob, NativeQueue } from '@switchyard/agent-runtime/native-queue.ts';
import { ListingUntrusted } from '@switchyard/agent-slurm/parse/listing.ts';
import { slurmQueue } from '@switchyard/agent-slurm/slurm-queue.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { bareJob, orderOf } from './orders.ts';
import { type ReplyDroppingProxy, startReplyDroppingProxy } from './reply-dropping-proxy.ts';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from './testbed.ts';

const slurm = slurmAvailable();

describe.skipIf(!slurm.ok)(`the queue of a real Slurm (${slurm.why})`, () => {
  let cluster: SlurmCluster;
  let queue: NativeQueue;
  let proxy: ReplyDroppingProxy;
  let lossy: NativeQueue;

  beforeAll(async () => {
    cluster = await startSlurmCluster({
      name: 'north',
      nodes: 2,
      cpusPerNode: 4,
      gpusPerNode: 2,
      messageTimeoutSeconds: 3,
      partitions: [
        'PartitionName=batch Nodes=ALL Default=YES MaxTime=1-0 DefaultTime=10 State=UP',
        'PartitionName=short Nodes=n1 MaxTime=5 MaxNodes=1 State=UP',
        'PartitionName=closed Nodes=n2 State=DOWN',
      ],
    });
    proxy = await startReplyDroppingProxy(cluster.ports.slurmctld);
    queue = slurmQueue({ conf: cluster.conf });
    lossy = slurmQueue({ conf: cluster.confForPort(proxy.port), submitTimeoutMs: 8000, queryTimeoutMs: 8000 });
  });
  afterAll(async () => {
    await proxy?.stop();
    await cluster?.stop();
  });

  const submit = async (order: RunOrder) => {
    const answer = await queue.submit(order, bareJob(order, cluster.dir));
    if (answer.kind !== 'submitted') throw new Error(JSON.stringify(answer));
    return answer.nativeId;
  };
  const jobsOf = async (marker: string) => (await queue.list()).filter((job) => job.marker === marker);
  const ended = (marker: string): Promise<NativeJob> =>
    until('the job ends', async () => (await jobsOf(marker)).find((job) => job.phase === 'ended'));
  const outputOf = (marker: string) => readFileSync(join(cluster.dir, `${marker}.out`), 'utf8');

  test('submits a script by standard input, finds it by its marker and sees its end', async () => {
    const order = orderOf({ script: '#!/bin/sh\necho "I am $SLURM_JOB_NAME on $SLURMD_NODENAME"\n', name: 'relax-42' });
    const nativeId = await submit(order);
    const job = await ended(order.marker);
    expect(job).toMatchObject({
      nativeId,
      tasks: '',
      end: 'completed',
      rawState: 'COMPLETED',
      exitCode: 0,
      pool: 'batch',
    });
    expect(job.submittedAtMs).toBeGreaterThan(Date.now() - 60_000);
    expect(outputOf(order.marker)).toBe('I am relax-42 on n1\n');
  });

  test('the exit code of a failed job, which the listing has not, comes a little later', async () => {
    const order = orderOf({ script: '#!/bin/sh\nexit 200\n' });
    const killed = orderOf({ script: '#!/bin/sh\nkill -9 $$\n' });
    await submit(order);
    await submit(killed);
    expect(await ended(order.marker)).toMatchObject({ end: 'failed', rawReason: 'NonZeroExitCode', exitCode: null });
    const known = (marker: string) =>
      until('its exit is known', async () => (await jobsOf(marker)).find((job) => job.exitCode !== null));
    expect(await known(order.marker)).toMatchObject({ end: 'failed', exitCode: 200, signal: null });
    expect(await known(killed.marker)).toMatchObject({ end: 'failed', rawReason: 'JobLaunchFailure', signal: 9 });
  });

  test.each([
    ['shell metacharacters', '$(touch /tmp/yard-owned); `id` && rm -rf "/x" | \'; echo > < * ? ~ !! # \\'],
    ['options', '--uid=0 -x'],
    ['per cent signs', '%j%x%%'],
    ['other alphabets', 'расчёт – 計算 🌍'],
    ['1,024 characters', 'x'.repeat(1024)],
  ])('a job name of %s is only a name', async (_what, name) => {
    const order = orderOf({ script: '#!/bin/sh\nprintf %s "$SLURM_JOB_NAME"\n', name });
    await submit(order);
    expect(await ended(order.marker)).toMatchObject({ end: 'completed' });
    expect(outputOf(order.marker)).toBe(name);
  });

  test('an environment arrives byte for byte, whatever is in it, and nothing of the agent does', async () => {
    const env = {
      QUOTES: `it's "quoted" \`and\` $HOME \\`,
      COMMA: 'a,b=c,d',
      LINES: 'one\ntwo\n\nfour',
      EMPTY: '',
      SBATCH_PARTITION: 'closed',
      LONG: 'y'.repeat(100_000),
    };
    const order = orderOf({ script: '#!/bin/sh\nenv -0\n', env });
    await submit(order);
    await ended(order.marker);
    const seen = new Map(
      outputOf(order.marker)
        .split('\0')
        .map((entry): [string, string] => [entry.split('=')[0]!, entry.slice(entry.indexOf('=') + 1)]),
    );
    for (const [name, value] of Object.entries(env)) expect(seen.get(name)).toBe(value);
    expect(seen.get('HOME')).toBe(process.env['HOME']);
    expect([...seen.keys()].filter((name) => name.startsWith('VITEST'))).toEqual([]);
  });

  test('waiting tasks of an array stay one line, whatever their number', async () => {
    const order = orderOf({
      script: '#!/bin/sh\nsleep 100\n',
      array: { tasks: '0-9999:3,1,4' },
      resources: { memoryMiBPerNode: 2000 },
    });
    const nativeId = await submit(order);
    const jobs = await until('some tasks run', async () => {
      const all = await jobsOf(order.marker);
      return all.some((job) => job.phase === 'running') && all;
    });
    expect(jobs.length).toBeLessThan(12);
    const running = jobs.filter((job) => job.phase === 'running');
    expect(running.find((job) => job.tasks === '0')).toMatchObject({ nativeId: `${nativeId}_0` });
    const waiting = jobs.filter((job) => job.phase === 'waiting');
    expect(waiting).toHaveLength(1);
    expect(waiting[0]).toMatchObject({ nativeId });
    expect(waiting[0]!.tasks).toMatch(/-9999:3$/);

    await queue.kill([
      { nativeId: `${nativeId}_9999`, marker: order.marker },
      { nativeId: running[0]!.nativeId, marker: order.marker },
    ]);
    await until('both tasks are cancelled', async () => {
      const over = (await jobsOf(order.marker)).filter(
        (job) => job.end === 'cancelled' || job.end === 'cancelled_by_system',
      );
      return over.some((job) => job.tasks === '9999') && over.some((job) => job.tasks === running[0]!.tasks);
    });
    await queue.kill([{ nativeId, marker: order.marker }]);
    await until('all of it is over', async () => (await jobsOf(order.marker)).every((job) => job.phase === 'ended'));
  });

  test('kills nothing that does not carry the marker, even under the right number', async () => {
    const foreign = await cluster.sbatch(['--comment=somebody'], '#!/bin/sh\nsleep 100\n');
    const order = orderOf({ script: '#!/bin/sh\nsleep 100\n' });
    const own = await submit(order);
    await queue.kill([
      { nativeId: foreign, marker: order.marker },
      { nativeId: own, marker: orderOf().marker },
      { nativeId: '4000000', marker: order.marker },
    ]);
    expect(await cluster.squeue(['-h', '-o', '%A %T', '-j', `${foreign},${own}`])).not.toContain('CANCELLED');
    await queue.kill([{ nativeId: own, marker: order.marker }]);
    expect((await ended(order.marker)).end).toMatch(/^cancelled/);
    await cluster.run(['scancel', foreign]);
  });

  test('a comment of somebody else with line breaks forges no job', async () => {
    const order = orderOf();
    const line = (await cluster.squeue(['-h', '-o', '%V'])).split('\n')[0] ?? '';
    const forged = [
      '7',
      '7',
      'N/A',
      'CANCELLED',
      'None',
      'batch',
      '0',
      line,
      'N/A',
      'N/A',
      '1',
      '1',
      '1',
      '1',
      'N/A',
      '1',
      'n/a',
      order.marker,
    ];
    const id = await cluster.sbatch(
      [`--comment=a\nyard:${forged.join('\x1f')}\n${forged.join('\x1f')}`],
      '#!/bin/sh\nsleep 100\n',
    );
    expect(await jobsOf(order.marker)).toEqual([]);
    await cluster.run(['scancel', id]);
  });

  test.each([
    [
      'a partition that does not exist',
      { pool: 'nowhere' },
      {},
      true,
      'invalid partition specified: nowhere; Batch job submission failed: Invalid partition name specified',
    ],
    [
      'more than any node has',
      {},
      { resources: { memoryMiBPerNode: 64_000 } },
      true,
      'Requested node configuration is not available',
    ],
    [
      'an array beyond the limit',
      { tasks: '4000000' },
      { array: { tasks: '4000000' } },
      true,
      'Invalid job array specification',
    ],
    [
      'a native option that is not allowed',
      {},
      { native: { slurm: { uid: 'nobody' } } },
      true,
      'native.slurm.uid is not an option',
    ],
    [
      'a native option that sbatch cannot read',
      {},
      { native: { slurm: { 'mem-per-gpu': 'lots' } } },
      true,
      'Invalid --mem-per-gpu',
    ],
    [
      'a reservation that does not exist',
      {},
      { native: { slurm: { reservation: 'none' } } },
      true,
      'Requested reservation is invalid',
    ],
  ])('refuses %s with a sentence', async (_what, more, spec, permanent, words) => {
    const order = orderOf(spec, more);
    const answer = await queue.submit(order, bareJob(order, cluster.dir));
    expect(answer).toMatchObject({ kind: 'refused', permanent, sentence: expect.stringContaining(words) });
    // Slurm may keep a record of what it refused (FAILED, BadConstraints), but nothing that can start.
    expect((await jobsOf(order.marker)).filter((job) => job.phase !== 'ended')).toEqual([]);
  });

  test('an answer that got lost is unknown, and the listing knows', async () => {
    for (const verdict of ['close', 'stall'] as const) {
      proxy.decide(({ kind }) => (kind === 'submit_batch' ? verdict : 'pass'));
      const order = orderOf();
      expect(await lossy.submit(order, bareJob(order, cluster.dir))).toMatchObject({ kind: 'unknown' });
      expect(await jobsOf(order.marker)).toHaveLength(1);
    }
    proxy.decide(() => 'refuse');
    const order = orderOf();
    expect(await lossy.submit(order, bareJob(order, cluster.dir))).toMatchObject({ kind: 'unknown' });
    expect(await jobsOf(order.marker)).toEqual([]);
  });

  test('a listing that did not come is no empty queue', async () => {
    for (const verdict of ['close', 'stall', 'refuse'] as const) {
      proxy.decide(() => verdict);
      await expect(lossy.list()).rejects.toThrow(ListingUntrusted);
    }
    await expect(lossy.capacity()).rejects.toThrow();
    await expect(lossy.kill([{ nativeId: '1', marker: orderOf().marker }])).rejects.toThrow();
  });

  test('reports the capacity of each partition and of the cluster, which is not their sum', async () => {
    await until('nothing runs', async () => (await cluster.squeue(['-h'])).trim() === '');
    const order = orderOf(
      {
        script: '#!/bin/sh\nsleep 100\n',
        resources: { cpusPerTask: 3, memoryMiBPerNode: 500, gpusPerNode: 1, walltimeSeconds: 240 },
      },
      { pool: 'short' },
    );
    await submit(order);
    await until('it runs', async () => (await jobsOf(order.marker)).some((job) => job.phase === 'running'));
    const wide = orderOf(
      { script: '#!/bin/sh\nsleep 100\n', resources: { nodes: 2, exclusive: true, walltimeSeconds: 600 } },
      { pool: 'batch' },
    );
    await submit(wide);
    await queue.list();
    const report = await queue.capacity();
    expect(report).toMatchObject({
      total: { nodes: 2, cpus: 8, memoryMiB: 16_000, gpus: 4 },
      free: { nodes: 1, cpus: 5, memoryMiB: 15_500, gpus: 3 },
      runningJobs: 1,
      waitingJobs: 1,
      maxArrayIndex: 10_000,
      software: 'slurm 22.05.8',
      notes: [],
    });
    const pool = (name: string) => report.pools.find((each) => each.name === name)!;
    expect(pool('batch')).toMatchObject({
      isDefault: true,
      up: true,
      free: { cpus: 5 },
      maxWalltimeSeconds: 86_400,
      defaultWalltimeSeconds: 600,
      waitingJobs: 1,
    });
    expect(pool('short')).toMatchObject({
      isDefault: false,
      total: { nodes: 1, cpus: 4, memoryMiB: 8000, gpus: 2 },
      free: { nodes: 0, cpus: 1, memoryMiB: 7500, gpus: 1 },
      largestNode: { cpus: 4, memoryMiB: 8000, gpus: 2 },
      largestFreeSlot: { cpus: 1, memoryMiB: 7500, gpus: 1 },
      maxWalltimeSeconds: 300,
      maxNodesPerJob: 1,
      runningJobs: 1,
      waitingJobs: 0,
      steps: [{ cpus: 3, memoryMiB: 500, gpus: 1 }],
    });
    expect(pool('short').steps[0]!.afterSeconds).toBeGreaterThan(200);
    expect(pool('closed')).toMatchObject({ up: false, nativeState: 'DOWN' });
    await queue.kill([...(await jobsOf(order.marker)), ...(await jobsOf(wide.marker))]);
  });

  test('knows the cluster by its name and controller', async () => {
    expect(await queue.fingerprint()).toMatch(new RegExp(`^slurm:north@.+:${cluster.ports.slurmctld}$`));
  });
});
