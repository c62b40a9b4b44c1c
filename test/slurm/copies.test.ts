import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';
import { startReplyDroppingProxy } from './reply-dropping-proxy.ts';
import { SlurmRuns, type SlurmRunsOptions } from './slurm-runs.ts';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from './testbed.ts';

const slurm = slurmAvailable();

/** Whoever makes a copy of a native job, and however: its payload starts once. */
describe.skipIf(!slurm.ok)(`copies on a real Slurm (${slurm.why})`, () => {
  let cluster: SlurmCluster;
  let world: SlurmRuns;

  beforeAll(async () => {
    cluster = await startSlurmCluster({ name: 'copies', nodes: 1, slurmdTimeoutSeconds: 5, messageTimeoutSeconds: 5 });
  });
  const open = async (options: SlurmRunsOptions = {}) => {
    world = await SlurmRuns.open(cluster, options);
  };
  afterAll(async () => {
    await world?.close();
    await cluster?.stop();
  });
  const queueIsEmpty = () =>
    until('the queue is empty', async () => (await cluster.squeue(['-h'])).trim() === '', { timeoutMs: 120_000 });
  /** Every copy had its chance. */
  const nothingLeft = async () => {
    await queueIsEmpty();
    await until('nobody is a stray', () => world.strays.length === 0);
  };
  const nativeOf = async (marker: string) =>
    (await cluster.squeue(['-h', '-t', 'all', '-o', '%A %T %k'])).split('\n').filter((line) => line.endsWith(marker));

  test('every job submitted three times at once', async () => {
    await open({ faults: { lookUp: false, copies: 3 } });
    const orders = await Promise.all(Array.from({ length: 20 }, (_, at) => world.submit(`exit ${at % 2}`)));
    const array = await world.submit('exit 0', { array: { tasks: '0-19' } });
    for (const [at, order] of orders.entries())
      expect(await world.ended(order)).toMatchObject({ outcome: at % 2 ? 'failed' : 'succeeded', exitCode: at % 2 });
    expect(await world.ended(array)).toMatchObject({ outcome: 'succeeded', tasks: '0-19' });
    await nothingLeft();
    for (const order of orders) {
      expect(await nativeOf(order.marker)).toHaveLength(3);
      expect(world.startedTasks(order)).toEqual(['0']);
    }
    expect(
      world
        .startedTasks(array)
        .map(Number)
        .sort((left, right) => left - right),
    ).toEqual(Array.from({ length: 20 }, (_, at) => at));
    await world.close();
  });

  test('scontrol requeue and update requeue=1, while it runs and after its end', async () => {
    await open();
    const order = await world.submit('sleep 3; exit 3');
    const { nativeId } = await world.started(order);
    // --no-requeue refuses the first; the update is how somebody gets it all the same.
    expect((await cluster.run(['scontrol', 'requeue', nativeId])).code).not.toBe(0);
    await cluster.scontrol(['update', `jobid=${nativeId}`, 'requeue=1']);
    await cluster.scontrol(['requeue', nativeId]);
    await until('the copy waits', async () => (await nativeOf(order.marker))[0]?.includes('PENDING'));
    await cluster.scontrol(['update', `jobid=${nativeId}`, 'StartTime=now']);
    expect((await world.ended(order)).outcome).toBe('failed');
    await nothingLeft();
    expect(world.startedTasks(order)).toEqual(['0']);

    const over = await world.submit('sleep 2; exit 0');
    const { nativeId: overId } = await world.started(over);
    await cluster.scontrol(['update', `jobid=${overId}`, 'requeue=1']);
    expect(await world.ended(over)).toMatchObject({ outcome: 'succeeded' });
    await cluster.scontrol(['requeue', overId]);
    await cluster.run(['scontrol', 'update', `jobid=${overId}`, 'StartTime=now']);
    await nothingLeft();
    expect(world.startedTasks(over)).toEqual(['0']);
    expect(world.status(over).ends).toMatchObject([{ outcome: 'succeeded' }]);
    await world.close();
  });

  test('a node that fails and comes back, and somebody wants the job again', async () => {
    await open({ graceMs: 60_000 });
    const order = await world.submit('sleep 25; exit 0');
    const { nativeId } = await world.started(order);
    await cluster.scontrol(['update', `jobid=${nativeId}`, 'requeue=1']);
    await cluster.stopNode(0, 'SIGKILL');
    await until('the cluster gave the node up', async () => !(await nativeOf(order.marker))[0]?.includes('RUNNING'), {
      timeoutMs: 90_000,
    });
    await cluster.startNode(0);
    await cluster.run(['scontrol', 'update', `jobid=${nativeId}`, 'StartTime=now']);
    const end = await world.ended(order, 150_000);
    expect(end.reason ?? 'none').not.toBe('unknown_end');
    await cluster.run(['scontrol', 'update', 'nodename=n1', 'state=resume']);
    await nothingLeft();
    expect(world.startedTasks(order)).toEqual(['0']);
    await world.close();
  });

  test('a controller that comes back with an older state', async () => {
    await open();
    const before = await world.submit('sleep 2; exit 0');
    const withdrawn = await world.submit('exit 0', { resources: { exclusive: true } });
    await cluster.stopController();
    const copy = cluster.copyState();
    await cluster.startController();
    await world.backend.withdraw(withdrawn.runId);
    const after = await world.submit('exit 3');
    expect(await world.ended(before)).toMatchObject({ outcome: 'succeeded' });
    expect(await world.ended(after)).toMatchObject({ outcome: 'failed', exitCode: 3 });
    expect(await world.ended(withdrawn)).toMatchObject({ outcome: 'withdrawn' });

    await cluster.stopController('SIGKILL');
    cluster.restoreState(copy);
    await cluster.startController();
    // The controller knows nothing of `after` and gives its number to another job.
    const next = await world.submit('exit 4');
    expect(await world.ended(next)).toMatchObject({ outcome: 'failed', exitCode: 4 });
    await nothingLeft();
    for (const order of [before, after, next]) expect(world.startedTasks(order)).toEqual(['0']);
    expect(world.startedTasks(withdrawn)).toEqual([]);
    expect(world.status(after).ends).toMatchObject([{ exitCode: 3 }]);
    await world.close();
  });

  test('lost answers on every kind of call, and an agent that is started again in between', async () => {
    const proxy = await startReplyDroppingProxy(cluster.ports.slurmctld);
    // Not in turn: calls that come in a rhythm of their own would always meet the same answer.
    const random = seeded(5);
    proxy.decide(() => (['pass', 'close', 'refuse', 'pass', 'pass'] as const)[Math.floor(random() * 5)]!);
    await open({ conf: cluster.confForPort(proxy.port), graceMs: 60_000 });
    const orders: RunOrder[] = [];
    for (let at = 0; at < 30; at += 1) {
      orders.push(await world.submit(`exit ${at % 3}`));
      if (at % 10 === 5) await world.restart();
    }
    // As the broker does: an Offer is repeated until the run is seen.
    await until(
      'every run is placed',
      async () => {
        const open = orders.filter((order) => !world.status(order).placed && world.status(order).ends.length === 0);
        await Promise.all(open.map((order) => world.offer(order).catch(() => {})));
        return open.length === 0;
      },
      { timeoutMs: 120_000, everyMs: 500 },
    );
    for (const [at, order] of orders.entries())
      expect(await world.ended(order, 120_000)).toMatchObject({
        outcome: at % 3 ? 'failed' : 'succeeded',
        exitCode: at % 3,
      });
    await nothingLeft();
    for (const order of orders) expect(world.startedTasks(order)).toEqual(['0']);
    expect(proxy.seen.get('submit_batch')!.dropped).toBeGreaterThan(5);
    await world.close();
    await proxy.stop();
  });
});
