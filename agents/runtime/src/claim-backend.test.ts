import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import { formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import { taskSet } from '@switchyard/core/spec/task-set.ts';
import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Backend, RunOrder, RunStatus } from './backend.ts';
import type { ClaimBackendOptions } from './backend-state.ts';
import { claimBackend } from './claim-backend.ts';
import type { NativeJob } from './native-queue.ts';
import { nativeJob, type ScriptedQueue, scriptedQueue } from './testing/scripted-queue.ts';

let stateDir: string;
let queue: ScriptedQueue;
let backend: Backend;
let nowMs: number;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-backend-'));
  queue = scriptedQueue();
  nowMs = Date.now();
  backend = await open();
});
afterEach(async () => {
  await backend.close();
  rmSync(stateDir, { recursive: true, force: true });
});

function open(changes: Partial<ClaimBackendOptions> = {}): Promise<Backend> {
  return claimBackend({ queue, stateDir, cluster: 'north', defaultWorkdir: '/scratch', now: () => nowMs, ...changes });
}

function order(spec: Partial<JobSpecInput> = {}, changes: Partial<RunOrder> = {}): RunOrder {
  const parsed = validateJobSpec({ script: '#!/bin/sh\ntrue\n', ...spec });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const runId = changes.runId ?? randomUUID();
  return {
    ...{ runId, placementNumber: 7, jobId: randomUUID(), jobNumber: 42, attempt: 1 },
    tasks: formatRangeSet(taskSet(parsed.spec)),
    ...{ spec: parsed.spec, specHash: 'x', pool: '', groupPath: 'default', owner: 'ada' },
    marker: markerOf('test', runId),
    ...changes,
  };
}

const submit = (run: RunOrder, observedBefore = false) => backend.submit(run, { observedBefore });
const directory = (run: RunOrder) => join(stateDir, 'runs', run.runId);

/** What the wrapper of this native job writes when it wins, and later. */
function claim(run: RunOrder, nativeId: string, lines: readonly string[] = [], task = 0): void {
  writeFileSync(
    join(directory(run), String(task)),
    `claim ${nativeId} 0 n1 1700000000 99\nkey k\n${lines.map((line) => `${line}\n`).join('')}`,
  );
}

/** Observes after so many seconds; the run's status as it is then. */
async function look(run: RunOrder, afterSeconds = 1): Promise<RunStatus> {
  nowMs += afterSeconds * 1000;
  await backend.observe();
  return status(run);
}

async function status(run: RunOrder): Promise<RunStatus> {
  return (await backend.inventory(Number.MAX_SAFE_INTEGER)).find((known) => known.order.runId === run.runId)!.status;
}

const ended = (run: RunOrder, changes: Partial<NativeJob> = {}) =>
  nativeJob(run.marker, { phase: 'ended', end: 'completed', rawState: 'COMPLETED', exitCode: 0, ...changes });

describe('submit', () => {
  it('looks nothing up for a run that was never here', async () => {
    const run = order();
    expect(await submit(run)).toMatchObject({ placed: true, nativeId: '101', stdoutPath: '/scratch/yard-42.out' });
    expect(queue.calls).toMatchObject({ submit: 1, list: 0 });
    expect(queue.submitted[0]!.environment).toMatchObject({
      YARD_RUN_ID: run.runId,
      YARD_CLAIM_DIR: directory(run),
      YARD_CLUSTER: 'north',
    });
    expect(readdirSync(directory(run)).sort()).toEqual(['native', 'offer.json']);
  });

  it('finds a job whose answer was lost, and does not submit again', async () => {
    queue.answers.push({ kind: 'unknown', sentence: 'Socket timed out' });
    const run = order();
    expect(await submit(run)).toMatchObject({ placed: false, nativeId: '', nativeReason: 'Socket timed out' });
    queue.jobs = [nativeJob(run.marker, { nativeId: '555' })];
    expect(await look(run, 60)).toMatchObject({ placed: true, nativeId: '555', nativeState: 'PENDING' });
    await look(run, 60);
    expect(queue.calls.submit).toBe(1);
  });

  it('submits again only after a listing that worked and lacks the job', async () => {
    queue.answers.push({ kind: 'unknown', sentence: 'Socket timed out' });
    const run = order();
    await submit(run);
    queue.failure = 'slurm_load_jobs error';
    await expect(look(run, 60)).rejects.toThrow('slurm_load_jobs');
    expect(queue.calls.submit).toBe(1);
    queue.failure = null;
    await look(run, 1);
    await expect.poll(() => queue.calls.submit).toBe(2);
    expect(await submit(run)).toMatchObject({ placed: true, nativeId: '102' });
    expect(queue.calls.submit).toBe(2);
  });

  it('looks up after a restart between the directory and the answer', async () => {
    queue.answers.push({ kind: 'unknown', sentence: 'killed' });
    const run = order();
    await submit(run);
    backend = await open();
    queue.jobs = [nativeJob(run.marker, { nativeId: '555' })];
    expect(await submit(run)).toMatchObject({ placed: true, nativeId: '555' });
    expect(queue.calls).toMatchObject({ submit: 1, list: 1 });
  });

  it('submits after a restart when the look-up finds nothing', async () => {
    queue.answers.push({ kind: 'unknown', sentence: 'killed' });
    const run = order();
    await submit(run);
    backend = await open();
    expect(await submit(run)).toMatchObject({ placed: true, nativeId: '102' });
    expect(queue.calls).toMatchObject({ submit: 2, list: 1 });
  });

  it('writes its offer with the next try when the disk was full', async () => {
    const run = order();
    // A directory in the way fails as a full disk does.
    mkdirSync(join(directory(run), 'offer.json'), { recursive: true });
    await expect(submit(run)).rejects.toThrow();
    rmSync(join(directory(run), 'offer.json'), { recursive: true });
    await submit(run);
    backend = await open();
    expect(await status(run)).toMatchObject({ placed: true, nativeId: '101' });
  });

  it('does not submit while the look-up fails', async () => {
    const run = order();
    await submit(run);
    rmSync(join(directory(run), 'native'));
    backend = await open();
    queue.failure = 'no answer';
    await expect(submit(run)).rejects.toThrow('no answer');
    expect(queue.calls.submit).toBe(1);
  });

  it('keeps a refusal: the claims are taken, so that no lost copy can start', async () => {
    queue.answers.push({ kind: 'refused', sentence: 'Invalid account', permanent: true });
    const run = order();
    const refused = {
      placed: false,
      ends: [{ outcome: 'refused', reason: 'rejected', detail: 'Invalid account', tasks: '0' }],
    };
    expect(await submit(run)).toMatchObject(refused);
    expect(existsSync(join(directory(run), '0'))).toBe(true);
    backend = await open();
    expect(await status(run)).toMatchObject(refused);
    expect(await submit(run)).toMatchObject(refused);
    expect(queue.calls.submit).toBe(1);
  });

  it('ends a run that the broker saw here and the cluster does not have: never started, claim taken', async () => {
    queue.answers.push({ kind: 'unknown', sentence: 'killed' });
    const run = order();
    await submit(run);
    backend = await open();
    expect(await submit(run, true)).toMatchObject({ placed: false, ends: [] });
    await look(run, 1);
    expect((await look(run, 60)).ends).toEqual([]);
    expect((await look(run, 60)).ends).toMatchObject([{ outcome: 'refused', tasks: '0' }]);
    expect(queue.calls.submit).toBe(1);
  });
});

describe('observe', () => {
  it('believes the record of an end that a killed controller missed and shows as running for ever', async () => {
    const run = order();
    await submit(run);
    queue.jobs = [nativeJob(run.marker, { nativeId: '101', phase: 'running', rawState: 'RUNNING' })];
    claim(run, '101', [`start ${Math.floor(nowMs / 1000)}`]);
    expect(await look(run)).toMatchObject({ started: '0', ends: [] });
    claim(run, '101', [`start ${Math.floor(nowMs / 1000)}`, `end 0 ${Math.floor(nowMs / 1000)} 0 0`]);
    expect(await look(run, 5)).toMatchObject({ ends: [] });
    expect(await look(run, 31)).toMatchObject({ ends: [{ outcome: 'succeeded', tasks: '0' }] });
  });

  it('asks once for everything, and says only what changed', async () => {
    const runs = [order(), order(), order()];
    for (const run of runs) await submit(run);
    queue.jobs = runs.map((run, at) => nativeJob(run.marker, { nativeId: String(101 + at) }));
    expect((await backend.observe()).changed.map(({ runId }) => runId).sort()).toEqual(
      runs.map(({ runId }) => runId).sort(),
    );
    expect((await backend.observe()).changed).toEqual([]);
    expect(queue.calls).toMatchObject({ list: 2, accounting: [] });
  });

  it('knows a start by its claim alone', async () => {
    const run = order();
    await submit(run);
    queue.jobs = [nativeJob(run.marker, { phase: 'running', rawState: 'RUNNING' })];
    expect(await look(run)).toMatchObject({ started: '', nativeState: 'RUNNING' });
    claim(run, '101', ['start 1700000005']);
    expect(await look(run)).toMatchObject({ started: '0', startedAtMs: 1_700_000_005_000, ends: [] });
  });

  it('takes the record for the end, the cluster for how it was killed', async () => {
    const [plain, oom, gone] = [order(), order(), order()];
    for (const run of [plain, oom, gone]) await submit(run);
    claim(plain, '101', ['start 1700000005', 'end 3 1700000009 4096 0']);
    claim(oom, '102', ['start 1700000005', 'end 0 1700000009 0 0']);
    queue.jobs = [
      ended(plain, { end: 'failed', rawState: 'FAILED' }),
      ended(oom, { nativeId: '102', end: 'out_of_memory', rawState: 'OUT_OF_MEMORY' }),
      ended(gone, { nativeId: '103', end: 'cancelled', rawState: 'CANCELLED', rawReason: 'by 1000' }),
    ];
    expect((await look(plain)).ends).toMatchObject([
      {
        outcome: 'failed',
        reason: 'exit_code',
        exitCode: 3,
        endedAtMs: 1_700_000_009_000,
        peakMemoryBytes: 4096,
        host: 'n1',
      },
    ]);
    expect((await status(oom)).ends).toMatchObject([{ outcome: 'failed', reason: 'out_of_memory' }]);
    expect((await status(gone)).ends).toMatchObject([{ outcome: 'cancelled', reason: 'cancelled_natively' }]);
    expect(existsSync(join(directory(gone), '0'))).toBe(true);
  });

  it('asks accounting for an end that left no record', async () => {
    const run = order();
    await submit(run);
    claim(run, '101', ['start 1700000005']);
    queue.jobs = [ended(run, { end: 'failed', rawState: 'FAILED', exitCode: null })];
    queue.stored = [ended(run, { end: 'failed', rawState: 'FAILED', exitCode: 17 })];
    expect((await look(run)).ends).toEqual([]);
    expect(queue.calls.accounting).toEqual([['101']]);
    await look(run, 6);
    expect((await look(run, 6)).ends).toMatchObject([{ outcome: 'failed', reason: 'exit_code', exitCode: 17 }]);
  });

  it('does not take the job that had the same number before, or got it since, for its own', async () => {
    const [run, other] = [order(), order()];
    for (const [each, id] of [[run, '101'] as const, [other, '102'] as const]) {
      await submit(each);
      claim(each, id, ['start 1700000005']);
    }
    const gone = { end: 'completed', exitCode: 0 } as const;
    queue.stored = [
      ended(run, { ...gone, marker: '', submittedAtMs: nowMs - 86_400_000 }),
      ended(order(), { ...gone, nativeId: '102', submittedAtMs: nowMs }),
    ];
    await look(run, 1);
    for (let seconds = 0; seconds < 100; seconds += 10) await look(run, 10);
    for (const each of [run, other])
      expect((await status(each)).ends).toMatchObject([{ outcome: 'failed', reason: 'unknown_end' }]);
  });

  it('ends a run whose winner has left the listing while a copy that lost is still in it', async () => {
    const [done, silent] = [order(), order()];
    for (const run of [done, silent]) await submit(run);
    claim(done, '99', ['start 1700000005', 'end 3 1700000009 0 0']);
    claim(silent, '98', ['start 1700000005']);
    const lost = { end: 'failed', rawState: 'FAILED', exitCode: 113 } as const;
    queue.jobs = [ended(done, lost), ended(silent, { ...lost, nativeId: '102' })];
    for (let seconds = 0; seconds < 30; seconds += 10) await look(done, 10);
    expect((await status(done)).ends).toMatchObject([{ outcome: 'failed', exitCode: 3 }]);
    expect((await status(silent)).ends).toEqual([]);
    for (let seconds = 0; seconds < 80; seconds += 10) await look(silent, 10);
    expect((await status(silent)).ends).toMatchObject([{ outcome: 'failed', reason: 'unknown_end' }]);
  });

  it('takes no task for gone while a line of its array cannot be read', async () => {
    const run = order({ array: { tasks: '0-3' } });
    await submit(run);
    queue.jobs = [nativeJob(run.marker, { tasks: '', phase: 'unknown', rawState: 'RUNNING' })];
    claim(run, '101_2', ['start 1700000005'], 2);
    for (let seconds = 0; seconds < 200; seconds += 50) await look(run, 50);
    expect(await status(run)).toMatchObject({ started: '2', ends: [] });
  });

  it('asks accounting for everything in turn, however much there is', async () => {
    const runs = Array.from({ length: 1100 }, () => order());
    await Promise.all(runs.map((run) => submit(run)));
    // What a listing shows as ended without a record is no mass disappearance.
    queue.jobs = runs.map((run, at) => ended(run, { nativeId: String(101 + at), end: 'failed', exitCode: 1 }));
    for (const run of runs) claim(run, '', []);
    await backend.observe();
    await look(runs[0]!, 6);
    expect(new Set(queue.calls.accounting.flat()).size).toBe(1100);
    expect(queue.calls.accounting.map(({ length }) => length)).toEqual([1000, 1000]);
  });

  it('calls no vanished job ended before 90 seconds and two listings', async () => {
    const run = order();
    await submit(run);
    claim(run, '101', ['start 1700000005']);
    await look(run, 1);
    expect((await look(run, 80)).ends).toEqual([]);
    expect((await look(run, 11)).ends).toMatchObject([{ outcome: 'failed', reason: 'unknown_end' }]);
  });

  it('does not count a listing that was asked for before the submit', async () => {
    const run = order();
    const list = queue.list;
    queue.list = async () => {
      await submit(run);
      return list();
    };
    expect(await look(run, 0)).toMatchObject({ placed: true, ends: [] });
    queue.list = list;
    queue.jobs = [nativeJob(run.marker)];
    expect(await look(run, 1)).toMatchObject({ nativeState: 'PENDING' });
  });

  it('concludes nothing when most of many jobs vanish at once, and says so', async () => {
    const said: string[] = [];
    backend = await open({ warn: (sentence) => said.push(sentence) });
    const runs = Array.from({ length: 12 }, () => order());
    for (const run of runs) await submit(run);
    queue.jobs = runs.map((run, at) => nativeJob(run.marker, { nativeId: String(101 + at) }));
    await backend.observe();
    const all = queue.jobs;
    queue.jobs = [];
    for (let count = 0; count < 5; count += 1) expect((await look(runs[0]!, 60)).ends).toEqual([]);
    expect(said).toEqual([expect.stringContaining('12 jobs vanished')]);
    queue.jobs = all;
    await backend.observe();
    expect(await status(runs[0]!)).toMatchObject({ ends: [] });
    // Long enough: what is gone is gone. None of them started, so all can be placed elsewhere.
    queue.jobs = [];
    await backend.observe();
    nowMs += 1_000_000;
    await backend.observe();
    await look(runs[0]!, 100);
    expect((await look(runs[0]!, 100)).ends).toMatchObject([{ outcome: 'refused' }]);
  });

  it('concludes nothing from such a listing after a restart either', async () => {
    const runs = Array.from({ length: 12 }, () => order());
    for (const run of runs) await submit(run);
    nowMs += 200_000;
    backend = await open();
    for (let count = 0; count < 5; count += 1) expect((await look(runs[0]!, 60)).ends).toEqual([]);
  });

  it('follows what a doubtful listing shows, and submits nothing because of what it does not', async () => {
    const runs = Array.from({ length: 12 }, () => order());
    for (const run of runs) await submit(run);
    queue.jobs = runs.map((run, at) => nativeJob(run.marker, { nativeId: String(101 + at) }));
    await backend.observe();
    queue.answers.push({ kind: 'unknown', sentence: 'Socket timed out' });
    const [lost, shown] = [order(), order()];
    for (const run of [lost, shown]) await submit(run);
    queue.jobs = [nativeJob(shown.marker, { nativeId: '114', phase: 'running', rawState: 'RUNNING' })];
    expect(await look(shown, 60)).toMatchObject({ nativeState: 'RUNNING' });
    await look(shown, 60);
    expect(await status(lost)).toMatchObject({ placed: false });
    expect(queue.calls.submit).toBe(14);
  });

  it('takes jobs that no listing has shown yet for lost, however many, when it was restarted meanwhile', async () => {
    const runs = Array.from({ length: 12 }, () => order());
    for (const run of runs) await submit(run);
    // The controller was killed before it had saved them, and so was the agent.
    nowMs += 30_000;
    backend = await open();
    await look(runs[0]!, 1);
    expect((await look(runs[0]!, 100)).ends).toMatchObject([{ outcome: 'refused', reason: 'rejected' }]);
  });

  it('believes a mass disappearance of jobs that recorded their ends', async () => {
    const runs = Array.from({ length: 12 }, () => order());
    for (const run of runs) await submit(run);
    queue.jobs = runs.map((run, at) => nativeJob(run.marker, { nativeId: String(101 + at), phase: 'running' }));
    runs.forEach((run, at) => {
      claim(run, String(101 + at), ['start 1700000005', 'end 0 1700000009 0 0']);
    });
    await backend.observe();
    queue.jobs = [];
    await look(runs[0]!, 1);
    expect((await look(runs[0]!, 6)).ends).toMatchObject([{ outcome: 'succeeded' }]);
  });

  it('follows the others when one run cannot be followed', async () => {
    const said: string[] = [];
    backend = await open({ warn: (sentence) => said.push(sentence) });
    const [broken, well] = [order(), order()];
    for (const run of [broken, well]) await submit(run);
    mkdirSync(join(directory(broken), '0'));
    claim(well, '102', ['start 1700000005', 'end 0 1700000009 0 0']);
    queue.jobs = [ended(broken, { end: 'cancelled', rawState: 'CANCELLED' }), ended(well, { nativeId: '102' })];
    expect((await look(well)).ends).toMatchObject([{ outcome: 'succeeded' }]);
    expect((await status(broken)).ends).toEqual([]);
    expect(said.join()).toContain(broken.runId);
  });

  it('shows strays: jobs of runs nobody knows, and copies of what another one started', async () => {
    const run = order();
    await submit(run);
    claim(run, '101', ['start 1700000005']);
    const stranger = randomUUID();
    queue.jobs = [
      nativeJob(run.marker, { phase: 'running' }),
      nativeJob(run.marker, { nativeId: '300' }),
      nativeJob(markerOf('test', stranger), { nativeId: '301' }),
      nativeJob(markerOf('test', randomUUID()), { nativeId: '302', phase: 'ended', end: 'completed' }),
    ];
    const { strays } = await backend.observe();
    expect(strays.map(({ nativeId, runId }) => [nativeId, runId])).toEqual([
      ['300', run.runId],
      ['301', stranger],
    ]);
    expect(queue.calls.kill).toEqual([]);
    await backend.cancelStray({ nativeId: '301', runId: stranger });
    await backend.cancelStray({ nativeId: '101', runId: run.runId });
    await backend.cancelStray({ nativeId: '300', runId: stranger });
    expect(queue.calls.kill).toEqual([['301']]);
  });
});

describe('a run that the state directory has lost', () => {
  it('can be cancelled while it waits in the queue, although there is no claim to take', async () => {
    const run = order();
    await submit(run);
    rmSync(directory(run), { recursive: true });
    expect(await backend.withdraw(run.runId)).toMatchObject({ ends: [] });
    expect(await backend.cancel(run.runId)).toMatchObject({ ends: [] });
    await expect.poll(() => queue.calls.kill).toEqual([['101']]);
  });

  it('is judged by what the cluster says when somebody removed its directory', async () => {
    const run = order();
    await submit(run);
    rmSync(directory(run), { recursive: true });
    queue.jobs = [ended(run, { end: 'cancelled', rawState: 'CANCELLED' })];
    expect((await look(run)).ends).toMatchObject([{ outcome: 'cancelled', reason: 'cancelled_natively' }]);
  });

  it('is followed by what the cluster shows, and never called a success by silence', async () => {
    const [running, silent] = [order(), order()];
    await submit(running, true);
    await submit(silent, true);
    queue.jobs = [nativeJob(running.marker, { phase: 'running', rawState: 'RUNNING' })];
    expect(await look(running)).toMatchObject({ placed: true, started: '0', ends: [] });
    queue.jobs = [ended(running, { end: 'failed', rawState: 'FAILED', exitCode: 9 })];
    await look(running, 1);
    expect((await look(running, 11)).ends).toMatchObject([{ outcome: 'failed', reason: 'exit_code', exitCode: 9 }]);
    await look(silent, 90);
    expect((await status(silent)).ends).toMatchObject([{ outcome: 'failed', reason: 'unknown_end' }]);
    expect(queue.calls.submit).toBe(0);
    expect(existsSync(directory(running))).toBe(false);
  });
});

describe('withdraw and cancel', () => {
  it('withdraws by the claim, then kills at leisure and again', async () => {
    const run = order();
    await submit(run);
    queue.jobs = [nativeJob(run.marker)];
    expect(await backend.withdraw(run.runId)).toMatchObject({
      started: '',
      ends: [{ outcome: 'withdrawn', tasks: '0' }],
    });
    await expect.poll(() => queue.calls.kill).toEqual([['101']]);
    await look(run, 1);
    await look(run, 20);
    await expect.poll(() => queue.calls.kill).toEqual([['101'], ['101']]);
  });

  it('withdraws while the submit has no answer yet', async () => {
    const answer = Promise.withResolvers<void>();
    const { submit: native } = queue;
    queue.submit = async (...given) => {
      await answer.promise;
      return native(...given);
    };
    const run = order();
    const submitting = submit(run);
    await expect.poll(() => existsSync(join(directory(run), 'offer.json'))).toBe(true);
    expect(await backend.withdraw(run.runId)).toMatchObject({ ends: [{ outcome: 'withdrawn' }] });
    answer.resolve();
    expect(await submitting).toMatchObject({ ends: [{ outcome: 'withdrawn' }] });
    queue.jobs = [nativeJob(run.marker)];
    await look(run, 20);
    await expect.poll(() => queue.calls.kill.at(-1)).toEqual(['101']);
  });

  it('kills those of many runs in one call, and again at once when that failed', async () => {
    const runs = [order(), order()];
    for (const run of runs) await submit(run);
    const { kill } = queue;
    queue.kill = async () => {
      queue.kill = kill;
      throw new Error('no answer');
    };
    await Promise.all(runs.map(({ runId }) => backend.withdraw(runId)));
    await expect.poll(() => queue.kill === kill).toBe(true);
    queue.jobs = runs.map((run, at) => nativeJob(run.marker, { nativeId: String(101 + at) }));
    await look(runs[0]!, 1);
    await expect.poll(() => queue.calls.kill).toEqual([['101', '102']]);
  });

  it('leaves what started', async () => {
    const run = order();
    await submit(run);
    claim(run, '101', ['start 1700000005']);
    expect(await backend.withdraw(run.runId)).toMatchObject({ started: '0', ends: [] });
    expect(queue.calls.kill).toEqual([]);
  });

  it('kills what started until its end is seen', async () => {
    const run = order();
    await submit(run);
    claim(run, '101', ['start 1700000005']);
    expect(await backend.cancel(run.runId)).toMatchObject({ started: '0', ends: [] });
    await backend.cancel(run.runId);
    queue.jobs = [nativeJob(run.marker, { phase: 'running' })];
    await expect.poll(() => queue.calls.kill).toEqual([['101']]);
    await look(run, 5);
    await look(run, 11);
    await expect.poll(() => queue.calls.kill).toEqual([['101'], ['101']]);
    claim(run, '101', ['start 1700000005', 'signal TERM', 'end 143 1700000009 0 0']);
    queue.jobs = [ended(run, { end: 'cancelled', rawState: 'CANCELLED' })];
    expect((await look(run)).ends).toMatchObject([{ outcome: 'cancelled', reason: 'cancelled_by_user' }]);
  });

  it('keeps the tasks of an array apart', async () => {
    const run = order({ array: { tasks: '0-9' } });
    await submit(run);
    claim(run, '101_2', ['start 1700000005'], 2);
    claim(run, '101_4', ['start 1700000005', 'end 1 1700000009 0 0'], 4);
    queue.jobs = [
      nativeJob(run.marker, { tasks: '5-9' }),
      ...[0, 1, 3].map((task) =>
        ended(run, { nativeId: `101_${task}`, tasks: String(task), end: 'cancelled_by_system' }),
      ),
      nativeJob(run.marker, { nativeId: '101_2', tasks: '2', phase: 'running' }),
      ended(run, { nativeId: '101_4', tasks: '4', end: 'failed', rawState: 'FAILED' }),
    ];
    expect(await look(run)).toMatchObject({ started: '2,4' });
    const { ends } = await backend.withdraw(run.runId);
    expect(ends.map(({ outcome, tasks }) => [outcome, tasks])).toEqual([
      ['refused', '0-1,3'],
      ['failed', '4'],
      ['withdrawn', '5-9'],
    ]);
    await expect.poll(() => queue.calls.kill[0]).toEqual(expect.arrayContaining(['101_5', '101_9']));
    expect(queue.calls.kill[0]).not.toContain('101_2');
  });

  it('says of a run it never had that it can never start, and keeps to it', async () => {
    const run = order({}, { runId: uuidV7(nowMs + 600_000) });
    const withdrawn = { ends: [{ outcome: 'withdrawn' }] };
    expect(await backend.withdraw(run.runId)).toMatchObject(withdrawn);
    expect(await submit(run)).toMatchObject(withdrawn);
    backend = await open();
    expect(await submit(run)).toMatchObject(withdrawn);
    expect(queue.calls.submit).toBe(0);
    expect(await backend.inventory(0)).toEqual([]);
  });

  it('makes it true for a run whose offer a crash took while a copy of it waits in the queue', async () => {
    const run = order({}, { runId: uuidV7(nowMs + 600_000) });
    await submit(run);
    writeFileSync(join(directory(run), 'offer.json'), '');
    backend = await open();
    expect(await backend.withdraw(run.runId)).toMatchObject({ ends: [{ outcome: 'withdrawn' }] });
    expect(existsSync(directory(run))).toBe(false);
  });

  it('leaves such a run alone when it has started, and follows it once it is offered again', async () => {
    const run = order({}, { runId: uuidV7(nowMs + 600_000) });
    await submit(run);
    claim(run, '101', ['start 1700000005']);
    writeFileSync(join(directory(run), 'offer.json'), '');
    backend = await open();
    expect(await backend.withdraw(run.runId)).toMatchObject({ started: '0', ends: [] });
    expect(await submit(run, true)).toMatchObject({ started: '0', ends: [] });
    claim(run, '101', ['start 1700000005', 'end 3 1700000009 0 0']);
    queue.jobs = [ended(run, { end: 'failed', rawState: 'FAILED' })];
    expect((await look(run)).ends).toMatchObject([{ outcome: 'failed', exitCode: 3 }]);
    expect(queue.calls.submit).toBe(1);
  });

  it('kills no array whose tasks cannot be read', async () => {
    const run = order({ array: { tasks: '0-3' } });
    await submit(run);
    queue.jobs = [nativeJob(run.marker, { tasks: '', phase: 'unknown', rawState: 'RUNNING' })];
    await look(run, 20);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(queue.calls.kill).toEqual([]);
  });

  it('never says of an offer that is just arriving that it can never start', async () => {
    for (let count = 0; count < 50; count += 1) {
      const run = order({}, { runId: uuidV7(nowMs + 600_000 + count) });
      const submits = queue.calls.submit;
      const offered = submit(run);
      for (let turns = 0; turns < count % 10; turns += 1) await Promise.resolve();
      const answer = await backend.withdraw(run.runId);
      await offered;
      // Whichever was first: withdrawn, and if it was submitted all the same, by a claim that a start would lose.
      expect(answer.ends).toMatchObject([{ outcome: 'withdrawn' }]);
      if (queue.calls.submit > submits) expect(existsSync(join(directory(run), '0'))).toBe(true);
    }
  });

  it('does not say so of a run that may be older than its state directory', async () => {
    const run = order({}, { runId: uuidV7(nowMs - 600_000) });
    expect(await backend.withdraw(run.runId)).toMatchObject({ ends: [], started: '' });
  });
});

describe('forget', () => {
  it('removes the directory and remembers the run, after a restart too', async () => {
    const run = order();
    await submit(run);
    claim(run, '101', ['start 1700000005', 'end 0 1700000009 0 0']);
    queue.jobs = [ended(run)];
    const before = await look(run);
    expect(await backend.forget([run.runId, randomUUID()])).toHaveLength(2);
    expect(existsSync(directory(run))).toBe(false);
    backend = await open();
    expect(await submit(run)).toEqual(before);
    expect(await backend.inventory(6)).toMatchObject([
      { forgotten: true, order: { runId: run.runId, jobId: run.jobId } },
    ]);
    expect(await backend.inventory(7)).toEqual([]);
    expect(queue.calls.submit).toBe(1);
  });
});

function uuidV7(atMs: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(atMs, 0, 6);
  bytes[6] = 0x70;
  bytes[8] = 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
