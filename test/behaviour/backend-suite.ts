import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Backend, RunOrder, RunStatus } from '@switchyard/agent-runtime/backend.ts';
import { endedTasks } from '@switchyard/core/lifecycle/ended-tasks.ts';
import { equal, formatRangeSet, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { makeOrder, uuidV7 } from './make-order.ts';

type OpenOptions = { readonly copies?: number; readonly lookUp?: boolean };

/** One cluster under test. Every `open` is the agent of the same cluster with the same state directory, started anew. */
export type BackendWorld = {
  open(options?: OpenOptions): Promise<Backend>;
  /** CPUs of the largest job that can start: two of these cannot run at the same time. */
  readonly allCpus: number;
  /** Seen by agent and nodes; jobs write here. */
  readonly workdir: string;
  /** Each stream of a job is a file of its own. Else it is one log, which the backend alone can read. */
  readonly outputIsFiles: boolean;
  close(): Promise<void>;
};

/** What every backend must do, whatever cluster is behind it (design section 12): facts are polled for by observe, never slept for. */
export function backendSuite(name: string, openWorld: () => Promise<BackendWorld>): void {
  describe(`backend ${name}`, () => {
    let world: BackendWorld;
    let backend: Backend;
    let folder: string;

    beforeAll(async () => {
      world = await openWorld();
    });
    afterAll(() => world?.close());
    beforeEach(async () => {
      folder = mkdtempSync(join(world.workdir, 'case-'));
      // Jobs may run as somebody else.
      chmodSync(folder, 0o777);
      backend = await world.open();
    });
    afterEach(async () => {
      await backend.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const order = (spec: Record<string, unknown>, changes: Partial<RunOrder> = {}) =>
      makeOrder({ workdir: folder, resources: { walltimeSeconds: 300 }, ...spec }, changes);
    const script = (...lines: string[]) => `#!/bin/sh\n${lines.join('\n')}\n`;
    const file = (path: string) => join(folder, path);
    const text = (path: string) => readFileSync(file(path), 'utf8');
    const starts = () => (existsSync(file('starts')) ? text('starts').trim().split('\n').length : 0);
    const read = (run: RunOrder, task: number, offset: number, limitBytes: number, waitMs = 0) =>
      backend.readLog({ runId: run.runId, task, rank: 0, stream: 'stdout', offset, limitBytes, waitMs });
    /** What a task wrote, to its end. */
    const output = async (run: RunOrder, task = 0): Promise<string> => {
      let all = Buffer.alloc(0);
      for (;;) {
        const slice = await read(run, task, all.length, 65_536, 1000);
        expect(slice.problem).toBe('');
        all = Buffer.concat([all, slice.data]);
        if (slice.end) return all.toString();
      }
    };
    const submit = (run: RunOrder) => backend.submit(run, { observedBefore: false });

    /** Observes until what is known of the run satisfies `is`. */
    const until = async (run: RunOrder, what: string, is: (status: RunStatus) => boolean): Promise<RunStatus> => {
      const end = performance.now() + 60_000;
      for (;;) {
        await backend.observe();
        const known = (await backend.inventory(Number.MAX_SAFE_INTEGER)).find((each) => each.order.runId === run.runId);
        if (known && is(known.status)) return known.status;
        if (performance.now() > end)
          throw new Error(`never ${what}; last: ${JSON.stringify(known?.status ?? 'unknown')}`);
        await delay(Math.min(250, backend.nextObserveMs()));
      }
    };
    const ended = (run: RunOrder) =>
      until(run, 'ended', (status) => equal(endedTasks(status.ends), rangeSet(run.tasks)));
    const started = (run: RunOrder) => until(run, 'started', (status) => status.started !== '');
    /** A job that takes all CPUs until its file appears: whatever comes next must wait. */
    const block = async () => {
      const run = order({
        script: script('echo x >>blocker; while [ ! -e go ]; do sleep 0.1; done'),
        resources: { cpusPerTask: world.allCpus, walltimeSeconds: 300 },
      });
      await submit(run);
      await started(run);
      return { run, release: () => writeFileSync(file('go'), '') };
    };

    it('runs a job to its end and keeps its output', async () => {
      const run = order({
        name: 'first job',
        stdout: 'out-%j',
        stderr: 'err-%j',
        env: { GREETING: 'it\'s, "a" $b' },
        script: script(
          'echo "hello $GREETING"',
          'echo problem >&2',
          'echo "$YARD_RUN_ID $YARD_JOB_NUMBER" >ids',
          'pwd >where',
        ),
      });
      const status = await submit(run);
      expect(status).toMatchObject({ runId: run.runId, placed: true, ends: [] });
      expect(status.nativeId).not.toBe('');
      expect(status.stdoutPath).toBe(world.outputIsFiles ? file(`out-${run.jobNumber}`) : '');
      const end = (await ended(run)).ends[0]!;
      expect(end).toMatchObject({ outcome: 'succeeded', exitCode: 0, tasks: '0' });
      expect(end.startedAtMs).toBeLessThanOrEqual(end.endedAtMs!);
      expect(Math.abs(end.endedAtMs! - Date.now())).toBeLessThan(60_000);
      const hello = 'hello it\'s, "a" $b\n';
      // Two pipes become one log in whatever order the container runtime reads them.
      const wrote = (await output(run)).split('\n').sort();
      expect(wrote).toEqual((world.outputIsFiles ? hello : `${hello}problem\n`).split('\n').sort());
      if (world.outputIsFiles) {
        expect(text(`out-${run.jobNumber}`)).toBe(hello);
        expect(text(`err-${run.jobNumber}`)).toBe('problem\n');
      }
      expect(text('ids')).toBe(`${run.runId} ${run.jobNumber}\n`);
    });

    it('runs a command as it stands, without a shell in between', async () => {
      const run = order({ stdout: 'out', command: ['printf', '%s|', '$HOME', "it's", '*', 'two\nlines', ''] });
      await submit(run);
      expect((await ended(run)).ends[0]).toMatchObject({ outcome: 'succeeded' });
      expect(await output(run)).toBe("$HOME|it's|*|two\nlines||");
    });

    it.each([3, 200])('reports exit code %i', async (code) => {
      const run = order({ script: script(`exit ${code}`) });
      await submit(run);
      expect((await ended(run)).ends[0]).toMatchObject({ outcome: 'failed', reason: 'exit_code', exitCode: code });
    });

    it('reports the signal that killed the payload', async () => {
      const run = order({ script: script('kill -SEGV $$') });
      await submit(run);
      expect((await ended(run)).ends[0]).toMatchObject({ outcome: 'failed', reason: 'signal', signal: 'SEGV' });
    });

    it('cancels a job that waits: it never starts', async () => {
      const { run: blocker, release } = await block();
      const run = order({ script: script('echo x >>starts'), resources: { cpusPerTask: world.allCpus } });
      await submit(run);
      const status = await backend.cancel(run.runId);
      expect(status.ends[0]).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_by_user' });
      release();
      await ended(blocker);
      expect(starts()).toBe(0);
    });

    it('cancels a job that runs', async () => {
      const run = order({ script: script('echo x >>starts', 'while :; do sleep 0.2; done') });
      await submit(run);
      await started(run);
      await backend.cancel(run.runId);
      expect((await ended(run)).ends[0]).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_by_user' });
      expect(starts()).toBe(1);
    });

    it('withdraws a job before its start: it never runs', async () => {
      const { run: blocker, release } = await block();
      const run = order({ script: script('echo x >>starts'), resources: { cpusPerTask: world.allCpus } });
      await submit(run);
      const status = await backend.withdraw(run.runId);
      expect(status).toMatchObject({ started: '', ends: [{ outcome: 'withdrawn', tasks: '0' }] });
      release();
      await ended(blocker);
      const next = order({ script: script('true'), resources: { cpusPerTask: world.allCpus } });
      await submit(next);
      await ended(next);
      expect(starts()).toBe(0);
    });

    it('does not withdraw what has started', async () => {
      const run = order({ script: script('echo x >>starts', 'while [ ! -e go ]; do sleep 0.1; done') });
      await submit(run);
      await until(run, 'writing', () => starts() === 1);
      expect(await backend.withdraw(run.runId)).toMatchObject({ started: '0', ends: [] });
      writeFileSync(file('go'), '');
      expect((await ended(run)).ends[0]).toMatchObject({ outcome: 'succeeded' });
    });

    it('starts once what was submitted three times', async () => {
      await backend.close();
      backend = await world.open({ copies: 3, lookUp: false });
      const run = order({ script: script('echo x >>starts', 'sleep 1') });
      await submit(run);
      expect((await ended(run)).ends[0]).toMatchObject({ outcome: 'succeeded' });
      const after = order({ script: script('true'), resources: { cpusPerTask: world.allCpus } });
      await submit(after);
      await ended(after);
      expect(starts()).toBe(1);
    });

    it('answers an offer that is repeated, without submitting again', async () => {
      const run = order({ script: script('echo x >>starts') });
      const [first, second] = await Promise.all([submit(run), submit(run)]);
      expect(second.nativeId).toBe(first.nativeId);
      expect((await submit(run)).nativeId).toBe(first.nativeId);
      await ended(run);
      expect(starts()).toBe(1);
    });

    it('never submits a run that the broker has seen here and this state directory has not', async () => {
      const run = order({ script: script('echo x >>starts') });
      const status = await backend.submit(run, { observedBefore: true });
      expect(status).toMatchObject({ placed: false, nativeId: '', ends: [] });
      await backend.observe();
      expect(starts()).toBe(0);
    });

    it('answers an offer of a forgotten run from its log', async () => {
      const run = order({ script: script('echo x >>starts') });
      await submit(run);
      const before = await ended(run);
      expect(await backend.forget([run.runId])).toEqual([run.runId]);
      expect((await submit(run)).ends).toEqual(before.ends);
      expect(await backend.forget([run.runId])).toEqual([run.runId]);
      const known = await backend.inventory(run.placementNumber - 1);
      expect(known.filter(({ order: { runId } }) => runId === run.runId)).toMatchObject([{ forgotten: true }]);
      expect(starts()).toBe(1);
    });

    it('does not forget what has not ended', async () => {
      const run = order({ script: script('while [ ! -e go ]; do sleep 0.1; done') });
      await submit(run);
      expect(await backend.forget([run.runId])).toEqual([]);
      writeFileSync(file('go'), '');
      await ended(run);
    });

    it('runs a part of an array with the numbers of the whole', async () => {
      const run = order(
        {
          stdout: 'out-%A_%a',
          array: { tasks: '0-18:2' },
          script: script(
            'echo "$YARD_TASK_INDEX $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX $SLURM_ARRAY_TASK_STEP"',
            'case $YARD_TASK_INDEX in 6|10) exit 4 ;; esac',
          ),
        },
        { tasks: '4-12:2' },
      );
      await submit(run);
      const { ends, started: begun } = await ended(run);
      expect(formatRangeSet(rangeSet(begun))).toBe('4-12:2');
      expect(ends.find(({ outcome }) => outcome === 'succeeded')!.tasks).toBe('4-12:4');
      expect(ends.find(({ outcome }) => outcome === 'failed')).toMatchObject({
        ...{ reason: 'exit_code', exitCode: 4, tasks: '6,10' },
      });
      for (const index of [4, 6, 8, 10, 12]) expect(await output(run, index)).toBe(`${index} ${index} 10 0 18 2\n`);
      if (world.outputIsFiles) expect(text(`out-${run.jobNumber}_4`)).toBe('4 4 10 0 18 2\n');
    });

    it('withdraws the tasks of an array that have not started, and only those', async () => {
      const run = order({
        array: { tasks: '1-3' },
        resources: { cpusPerTask: world.allCpus, walltimeSeconds: 300 },
        script: script('echo $YARD_TASK_INDEX >>starts', 'while [ ! -e go ]; do sleep 0.1; done'),
      });
      await submit(run);
      await started(run);
      const status = await backend.withdraw(run.runId);
      writeFileSync(file('go'), '');
      const { ends } = await ended(run);
      expect(ends.find(({ outcome }) => outcome === 'withdrawn')!.tasks).toBe(status.ends[0]!.tasks);
      expect(ends.find(({ outcome }) => outcome === 'succeeded')!.tasks).toBe(status.started);
      expect(text('starts').trim()).toBe(status.started);
    });

    it('reads output by offset and limit, and waits for more', async () => {
      const run = order({
        stdout: 'out',
        // A line at a time: some container runtimes keep half a line back.
        script: script('echo 012345678', 'while [ ! -e go ]; do sleep 0.1; done', 'printf abc'),
      });
      await submit(run);
      await started(run);
      expect(Buffer.from((await read(run, 0, 0, 100, 20_000)).data).toString()).toBe('012345678\n');
      expect(Buffer.from((await read(run, 0, 2, 3)).data).toString()).toBe('234');
      expect(await read(run, 0, 10, 100)).toMatchObject({ end: false, problem: '' });
      const more = read(run, 0, 10, 100, 20_000);
      writeFileSync(file('go'), '');
      expect(Buffer.from((await more).data).toString()).toBe('abc');
      await ended(run);
      expect(await read(run, 0, 13, 100)).toMatchObject({ end: true, problem: '' });
      const other = {
        runId: uuidV7(),
        task: 0,
        rank: 0,
        stream: 'stdout',
        offset: 0,
        limitBytes: 9,
        waitMs: 0,
      } as const;
      expect((await backend.readLog(other)).problem).not.toBe('');
    });

    it('goes on after a restart of the agent with what runs, waits and has ended', async () => {
      const done = order({ script: script('exit 5') });
      await submit(done);
      const ends = (await ended(done)).ends;
      const { run: running, release } = await block();
      const waiting = order({
        script: script('echo x >>starts'),
        resources: { cpusPerTask: world.allCpus, walltimeSeconds: 300 },
      });
      await submit(waiting);
      await backend.close();
      backend = await world.open();
      expect((await ended(done)).ends).toMatchObject([{ outcome: ends[0]!.outcome, exitCode: 5 }]);
      expect((await started(running)).ends).toEqual([]);
      expect(starts()).toBe(0);
      release();
      expect((await ended(running)).ends[0]).toMatchObject({ outcome: 'succeeded' });
      expect((await ended(waiting)).ends[0]).toMatchObject({ outcome: 'succeeded' });
      expect(starts()).toBe(1);
      expect(text('blocker').trim()).toBe('x');
    });

    it('refuses what the cluster cannot run, with a sentence', async () => {
      const run = order({ script: script('true'), resources: { cpusPerTask: 99_999, walltimeSeconds: 60 } });
      const status = await submit(run);
      expect(status.ends).toMatchObject([{ outcome: 'refused', reason: 'rejected', tasks: '0' }]);
      expect(status.ends[0]!.detail).toMatch(/\w+ \w+/);
    });
  });
}

/** A folder for a world, on this machine. */
export function worldFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `yard-${name}-`));
}
