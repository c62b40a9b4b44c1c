import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isAlive, LocalWorld, until } from './testing/local-world.ts';

let world: LocalWorld;
beforeEach(() => {
  world = new LocalWorld();
});
afterEach(() => world.close());

const allCpus = { resources: { cpusPerTask: 4 } };
const gate = 'while [ ! -e go ]; do sleep 0.02; done';
const open = () => writeFileSync(world.path('go'), '');

describe('a job', () => {
  test('runs in its folder with its own environment and input, and ends with its code', async () => {
    writeFileSync(world.path('input'), 'from a file\n');
    const job = await world.submit('cat; pwd; echo "$GREETING $VITEST $YARD_NATIVE_ID."; exit 7', {
      stdin: 'input',
      env: { GREETING: 'hello' },
    });
    expect(await world.ended(job)).toMatchObject({
      ...{ nativeId: job.nativeId, tasks: '', end: 'failed', rawState: 'FAILED', exitCode: 7, signal: null },
      ...{ pool: 'default', host: hostname(), restartCount: 0 },
    });
    expect(world.output(job)).toBe(`from a file\n${world.dir}\nhello  .\n`);
    expect(world.claim(job)).toMatch(new RegExp(`^claim ${job.nativeId} 0 ${hostname()} (.*\\n)*end 7 `));
  });

  test('runs a command by exec, with nothing to read', async () => {
    const order = world.order('', { stdout: 'out' });
    const spec = { ...order.spec, script: undefined, command: ['cat', '-', '/proc/self/comm'] };
    const { script: _, ...rest } = spec;
    await world.answer({ ...order, spec: rest });
    await until('it wrote', () => world.text('out') || undefined);
    expect(world.text('out')).toBe('cat\n');
  });

  test('appends to its output until it has won its claim, then starts from nothing', async () => {
    const job = await world.submit('exit 0');
    await world.ended(job);
    const again = world.order('echo new', { stdout: 'same' });
    writeFileSync(world.path('same'), 'old and longer\n');
    await world.answer(again);
    await until('it is new', () => world.text('same') === 'new\n' || undefined);
  });

  test('dies of its signal', async () => {
    const job = await world.submit('kill -SEGV $$');
    expect(await world.ended(job)).toMatchObject({ end: 'failed', exitCode: null, signal: 11 });
  });

  test.each([
    [{ workdir: '/nonexistent/here' }, 'the working directory /nonexistent/here does not exist'],
    [{ stdout: '/nonexistent/out' }, "ENOENT: no such file or directory, open '/nonexistent/out'"],
    [{ stdin: '/nonexistent/in' }, "ENOENT: no such file or directory, open '/nonexistent/in'"],
  ])('that cannot be started says why: %o', async (spec, rawReason) => {
    const job = await world.submit('true', spec);
    expect(await world.ended(job)).toMatchObject({ end: 'launch_failed', rawReason, startedAtMs: null });
    expect(world.claim(job)).toBe('');
  });

  test('takes what it left behind with it', async () => {
    const job = await world.submit(
      'setsid sleep 1000 & echo $! >child; setsid sh -c "echo \\$\\$ >>child; exec sleep 1000" & wait 1; sleep 0.3',
    );
    await world.ended(job);
    const pids = world.text('child').trim().split('\n');
    expect(pids).toHaveLength(2);
    await until('they are gone', () => !pids.some(isAlive) || undefined);
  });
});

describe('the queue', () => {
  test('starts first come first, as many as fit', async () => {
    const first = await world.submit(`${gate}; echo 1 >>order`, { resources: { cpusPerTask: 3 } });
    const second = await world.submit('echo 2 >>order', allCpus);
    const third = await world.submit('echo 3 >>order');
    await world.running(first);
    expect(await world.lines(second)).toMatchObject([{ phase: 'waiting', rawState: 'PENDING', startedAtMs: null }]);
    expect(await world.lines(third)).toMatchObject([{ phase: 'waiting' }]);
    expect(await world.queue.capacity()).toMatchObject({
      ...{ runningJobs: 1, waitingJobs: 2, total: { cpus: 4, memoryMiB: 4000 }, free: { cpus: 1, memoryMiB: 1000 } },
      pools: [{ name: 'default', isDefault: true, up: true, waitingCpus: 5, steps: [] }],
    });
    open();
    for (const job of [first, second, third]) await world.ended(job);
    expect(world.text('order')).toBe('1\n2\n3\n');
    expect([first, second, third].map(({ nativeId }) => nativeId)).toEqual(['1', '2', '3']);
  });

  test('keeps within the memory that jobs ask for', async () => {
    const first = await world.submit(gate, { resources: { memoryMiBPerNode: 3500, walltimeSeconds: 100 } });
    const second = await world.submit('true', { resources: { memoryMiBPerNode: 600 } });
    await world.running(first);
    expect((await world.lines(second))[0]!.phase).toBe('waiting');
    const [pool] = (await world.queue.capacity()).pools;
    expect(pool).toMatchObject({ free: { memoryMiB: 500 }, steps: [{ cpus: 1, memoryMiB: 3500 }] });
    expect(pool!.steps[0]!.afterSeconds).toBeGreaterThan(90);
    open();
    await world.ended(second);
  });

  test('runs each task of an array with its own index and output', async () => {
    const job = await world.submit(
      'echo "$SLURM_ARRAY_TASK_ID $YARD_TASK_INDEX $SLURM_ARRAY_TASK_COUNT"; exit $YARD_TASK_INDEX',
      {
        array: { tasks: '0-8:4' },
      },
    );
    await world.ended(job);
    const lines = await world.lines(job);
    expect(lines.map(({ nativeId, tasks, exitCode }) => [nativeId, tasks, exitCode]).sort()).toEqual([
      [`${job.nativeId}_0`, '0', 0],
      [`${job.nativeId}_4`, '4', 4],
      [`${job.nativeId}_8`, '8', 8],
    ]);
    for (const index of [0, 4, 8]) expect(world.output(job, index)).toBe(`${index} ${index} 3\n`);
  });

  test('runs hundreds of jobs that do nothing in seconds', async () => {
    const began = performance.now();
    const jobs = await Promise.all(Array.from({ length: 200 }, () => world.submit('true')));
    for (const job of jobs) expect((await world.ended(job)).end).toBe('completed');
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  test.each([
    [{ resources: { nodes: 2 } }, 'a local cluster is one host, the job asks for 2 nodes'],
    [{ resources: { cpusPerTask: 5 } }, 'the job asks for 5 CPUs, all of this cluster has 4'],
    [
      { resources: { memoryMiBPerNode: 4001 } },
      'the job asks for 4001 MiB of memory, all of this cluster has 4000 MiB',
    ],
    [{ resources: { gpusPerNode: 1 } }, 'a local cluster gives out no GPUs, the job asks for 1'],
    [{ constraints: { features: ['avx'] } }, "a local cluster has no features, the job asks for 'avx'"],
  ])('refuses for ever what can never run: %o', async (spec, sentence) => {
    expect(await world.answer(world.order('true', spec))).toEqual({ kind: 'refused', sentence, permanent: true });
  });

  test('says which host and folder it is', async () => {
    expect(await world.queue.fingerprint()).toBe(`local:${hostname()}:${world.path('state')}`);
    expect((await world.queue.capacity()).software).toBe('local 0.1.0');
  });
});

describe('kill', () => {
  test('a job that waits never starts', async () => {
    const blocker = await world.submit(gate, allCpus);
    const job = await world.submit('echo x >started');
    await world.kill(job, job.nativeId);
    expect(await world.lines(job)).toMatchObject([{ phase: 'ended', end: 'cancelled', startedAtMs: null }]);
    open();
    await world.ended(blocker);
    expect(world.text('started')).toBe('');
  });

  test('a job that runs gets TERM first', async () => {
    const job = await world.submit("trap 'echo saved; exit 3' TERM; echo ready; while :; do sleep 0.02; done");
    await until('it is ready', () => world.output(job) === 'ready\n' || undefined);
    await world.kill(job, job.nativeId);
    expect(await world.ended(job)).toMatchObject({ end: 'cancelled', exitCode: 3 });
    expect(world.output(job)).toMatch(/^ready\n(.*\n)?saved\n$/);
    expect(world.claim(job)).toMatch(/\nsignal TERM\n(.*\n)*end 3 /);
  });

  test('a job that ignores TERM is killed after a while, and its wrapper still says how', async () => {
    const job = await world.submit("trap '' TERM; echo $$ >pid; while :; do sleep 0.1; done");
    await until('it runs', () => world.text('pid') || undefined);
    await world.kill(job, job.nativeId);
    expect(await world.ended(job)).toMatchObject({ end: 'cancelled' });
    expect(world.claim(job)).toMatch(/\nend 137 /);
    expect(isAlive(world.text('pid'))).toBe(false);
  });

  test('one task of an array, and what waits of it', async () => {
    const job = await world.submit(gate, { array: { tasks: '0-5' }, resources: { cpusPerTask: 2 } });
    await world.until(
      'two run',
      job,
      (lines) => lines.filter(({ phase }) => phase === 'running').length === 2 || undefined,
    );
    await world.kill(job, `${job.nativeId}_1`, `${job.nativeId}_4`);
    await world.until(
      'one ended',
      job,
      (lines) => lines.some(({ tasks, end }) => tasks === '1' && end === 'cancelled') || undefined,
    );
    expect(await world.lines(job)).toContainEqual(expect.objectContaining({ tasks: '4', end: 'cancelled' }));
    open();
    await world.ended(job);
    expect((await world.lines(job)).filter(({ end }) => end === 'completed')).toHaveLength(4);
  });

  test('nothing that carries another marker', async () => {
    const job = await world.submit(gate);
    await world.running(job);
    const other = world.order('true').marker;
    await world.queue.kill([
      { nativeId: job.nativeId, marker: other },
      { nativeId: '999', marker: other },
    ]);
    open();
    expect(await world.ended(job)).toMatchObject({ end: 'completed' });
  });
});
