import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../support/until.ts';
import type { SlurmClusterOptions } from './slurm-conf.ts';
import { SlurmRuns } from './slurm-runs.ts';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from './testbed.ts';

const slurm = slurmAvailable();
const slurmdbd = slurmAvailable({ accounting: true });

/** Every way a job can end, each with its own state and reason, and none guessed as success. */
function suite(
  what: string,
  available: { ok: boolean; why: string },
  options: Omit<SlurmClusterOptions, 'name'>,
): void {
  describe.skipIf(!available.ok)(`ends on a real Slurm ${what} (${available.why})`, () => {
    let cluster: SlurmCluster;
    let world: SlurmRuns;

    beforeAll(async () => {
      cluster = await startSlurmCluster({ name: 'ends', nodes: 2, killWaitSeconds: 3, oom: 'cgroup', ...options });
      world = await SlurmRuns.open(cluster);
      // So that a job that wants both nodes waits.
      await cluster.sbatch(['--nodes=2'], '#!/bin/sh\nsleep 3600\n');
      await until('it runs', async () => (await cluster.squeue(['-h', '-o', '%T'])).startsWith('RUNNING'));
    });
    afterAll(async () => {
      await world?.close();
      await cluster?.stop();
    });

    test.each([
      ['exit 0', 'exit 0', { outcome: 'succeeded', exitCode: 0 }],
      ['exit 3', 'exit 3', { outcome: 'failed', reason: 'exit_code', exitCode: 3 }],
      ['exit 200', 'exit 200', { outcome: 'failed', reason: 'exit_code', exitCode: 200 }],
      ['a signal of its own', 'kill -SEGV $$', { outcome: 'failed', reason: 'signal', signal: 'SEGV' }],
      ['SIGKILL', 'kill -KILL $$', { outcome: 'failed', reason: 'signal', signal: 'KILL' }],
      [
        'too much memory, though the script exits 0',
        'tail /dev/zero; exit 0',
        { outcome: 'failed', reason: 'out_of_memory' },
      ],
    ])('%s', async (_name, body, end) => {
      const order = await world.submit(body, { resources: { memoryMiBPerNode: 30 } });
      expect(await world.ended(order)).toMatchObject(end);
      expect(world.startedTasks(order)).toEqual(['0']);
    });

    test('scancel behind our back while it runs', async () => {
      const order = await world.submit('sleep 600');
      const { nativeId } = await world.started(order);
      await cluster.run(['scancel', nativeId]);
      expect(await world.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_natively' });
    });

    test('scancel behind our back while it waits', async () => {
      const order = await world.submit('exit 0', { resources: { nodes: 2, exclusive: true } });
      const { nativeId } = await world.inState(order, /PENDING/);
      await cluster.run(['scancel', nativeId]);
      expect(await world.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_natively' });
      expect(world.startedTasks(order)).toEqual([]);
    });

    test('one waiting task of an array is cancelled behind our back', async () => {
      const order = await world.submit('sleep 600', {
        array: { tasks: '0-2' },
        resources: { nodes: 2, exclusive: true },
      });
      const { nativeId } = await world.inState(order, /PENDING/);
      await cluster.run(['scancel', `${nativeId}_1`]);
      await until('its end is known', () => world.status(order).ends.some((end) => end.tasks === '1'));
      await world.backend.cancel(order.runId);
      const ends = await world.ends(order);
      expect(ends.find((end) => end.tasks === '1')).toMatchObject({
        outcome: 'cancelled',
        reason: 'cancelled_natively',
      });
      expect(world.startedTasks(order)).toEqual([]);
    });

    test('cancelled by us while it waits', async () => {
      const order = await world.submit('exit 0', { resources: { nodes: 2, exclusive: true } });
      await world.inState(order, /PENDING/);
      await world.backend.cancel(order.runId);
      expect(await world.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_by_user' });
      await until('it left the queue', async () => !(await cluster.squeue(['-h', '-o', '%k'])).includes(order.marker));
      expect(world.startedTasks(order)).toEqual([]);
    });

    test('cancelled by us while it runs, the payload saving its work on TERM', async () => {
      const order = await world.submit("trap 'echo saved; exit 0' TERM; while :; do sleep 1; done");
      await world.started(order);
      await world.backend.cancel(order.runId);
      expect(await world.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_by_user' });
      expect(world.output(order)).toContain('saved\n');
    });

    test('cancelled by us while it runs and ignores TERM', async () => {
      const order = await world.submit("trap '' TERM; while :; do sleep 600; done");
      await world.started(order);
      await world.backend.cancel(order.runId);
      expect(await world.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_by_user' });
    });

    test('what was refused', async () => {
      const order = await world.submit('exit 0', { resources: { memoryMiBPerNode: 999_999 } });
      expect(await world.ended(order)).toMatchObject({
        outcome: 'refused',
        detail: expect.stringContaining('Requested node configuration is not available'),
      });
    });

    test('an array with tasks that end differently', async () => {
      const order = await world.submit('exit $(($SLURM_ARRAY_TASK_ID % 3))', { array: { tasks: '0-11' } });
      const ends = await world.ends(order);
      expect(ends.map((end) => [end.tasks, end.outcome, end.exitCode]).sort()).toEqual([
        ['0-9:3', 'succeeded', 0],
        ['1-10:3', 'failed', 1],
        ['2-11:3', 'failed', 2],
      ]);
      expect(world.starts(order)).toBe(12);
    });

    test('nothing was started twice', () => {
      const keys = world.allStarts().map((start) => start.join(' '));
      expect(new Set(keys).size).toBe(keys.length);
    });
  });
}

suite('without accounting', slurm, {});
suite('with accounting', slurmdbd, { accounting: true });

type Own = { readonly cluster: SlurmCluster; readonly world: SlurmRuns };

/** A cluster for one test. */
async function withOwn(
  options: Omit<SlurmClusterOptions, 'name'> & { graceMs?: number },
  use: (own: Own) => Promise<void>,
): Promise<void> {
  const { graceMs = 3000, ...rest } = options;
  const cluster = await startSlurmCluster({ name: 'own', ...rest });
  try {
    const world = await SlurmRuns.open(cluster, { graceMs });
    await use({ cluster, world }).finally(() => world.close());
  } finally {
    await cluster.stop();
  }
}

describe.skipIf(!slurm.ok).concurrent(`ends that take a while or a cluster of their own (${slurm.why})`, () => {
  // Slurm counts limits in minutes, and looks at them every half minute.
  const MINUTE = { walltimeSeconds: 60 };

  test('walltime, also of a payload that ignores TERM', async () => {
    await withOwn({ killWaitSeconds: 3 }, async ({ world }) => {
      const plain = await world.submit('sleep 600', { resources: MINUTE });
      const deaf = await world.submit("trap '' TERM; while :; do sleep 600; done", { resources: MINUTE });
      expect(await world.ended(plain, 150_000)).toMatchObject({ outcome: 'failed', reason: 'walltime' });
      expect(await world.ended(deaf, 60_000)).toMatchObject({ outcome: 'failed', reason: 'walltime' });
    });
  });

  test('--signal=B:USR1@55, trapped by the payload', async () => {
    await withOwn({}, async ({ world }) => {
      const order = await world.submit("trap 'echo saved; exit 0' USR1; while :; do sleep 1; done", {
        resources: MINUTE,
        signal: { name: 'USR1', beforeEndSeconds: 55 },
      });
      expect(await world.ended(order, 150_000)).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
      expect(world.output(order)).toContain('saved\n');
    });
  });

  const purged = async ({ cluster, world }: Own) => {
    const [fine, bad, killed] = [
      await world.submit('exit 0'),
      await world.submit('exit 3'),
      await world.submit('kill -KILL $$'),
    ];
    await world.pause();
    await until(
      'all are purged',
      async () => (await cluster.squeue(['-h', '-t', 'all'])).trim() === '' && world.allStarts().length === 3,
    );
    await world.restart();
    expect(await world.ended(fine)).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
    expect(await world.ended(bad)).toMatchObject({ outcome: 'failed', reason: 'exit_code', exitCode: 3 });
    expect(await world.ended(killed)).toMatchObject({ outcome: 'failed', reason: 'signal', signal: 'KILL' });
  };
  test('purged by slurmctld before we looked', () => withOwn({ minJobAgeSeconds: 2 }, purged));
  test.skipIf(!slurmdbd.ok)('purged by slurmctld before we looked, with accounting', () =>
    withOwn({ minJobAgeSeconds: 2, accounting: true }, purged),
  );
  test.skipIf(!slurmdbd.ok)('purged with its claim open: accounting says how it was killed', async () => {
    await withOwn({ minJobAgeSeconds: 2, accounting: true, killWaitSeconds: 2 }, async ({ cluster, world }) => {
      const order = await world.submit("trap '' TERM; while :; do sleep 600; done");
      const { nativeId } = await world.started(order);
      await world.pause();
      await cluster.run(['scancel', nativeId]);
      await until('it is purged', async () => (await cluster.squeue(['-h', '-t', 'all'])).trim() === '');
      world.resume();
      expect(await world.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_natively' });
    });
  });

  test.each(['PrologFlags=NoHold', 'PrologFlags=Alloc'])(
    'a prolog that fails under %s: it never started',
    async (flags) => {
      const prolog = join(tmpdir(), `yard-prolog-${process.pid}-${flags}`);
      writeFileSync(prolog, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      await withOwn({ extraConf: `Prolog=${prolog}\n${flags}` }, async ({ world }) => {
        const order = await world.submit('exit 0');
        expect(await world.ended(order)).toMatchObject({ outcome: 'refused' });
        expect(world.startedTasks(order)).toEqual([]);
      }).finally(() => rmSync(prolog));
    },
  );

  test('killed by sampled memory use (OverMemoryKill)', async () => {
    await withOwn({ oom: 'gather' }, async ({ world }) => {
      const order = await world.submit('x=$(head -c 200m /dev/zero | tr "\\0" x); sleep 60', {
        resources: { memoryMiBPerNode: 30 },
      });
      expect((await world.ended(order)).outcome).toBe('failed');
    });
  });

  test('a lost node is no end: the payload runs on, and its own record decides', async () => {
    await withOwn({ slurmdTimeoutSeconds: 5, graceMs: 60_000 }, async ({ cluster, world }) => {
      const flag = join(world.folder, 'go');
      const order = await world.submit(`while ! [ -e ${flag} ]; do sleep 0.2; done; exit 3`);
      await world.started(order);
      await cluster.stopNode(0, 'SIGKILL');
      await world.inState(order, /NODE_FAIL/);
      expect(world.status(order).ends).toEqual([]);
      writeFileSync(flag, '');
      expect(await world.ended(order)).toMatchObject({ outcome: 'failed', reason: 'exit_code', exitCode: 3 });
    });
  });

  test('a node lost with its payload is a node failure in the end', async () => {
    await withOwn({ slurmdTimeoutSeconds: 5 }, async ({ cluster, world }) => {
      const order = await world.submit('sleep 600');
      await world.started(order);
      await cluster.loseNode(0);
      expect(await world.ended(order, 120_000)).toMatchObject({ outcome: 'failed', reason: 'node_failure' });
      expect(world.startedTasks(order)).toEqual(['0']);
    });
  });
});
