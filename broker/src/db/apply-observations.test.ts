import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { forgetCluster } from './forget-cluster.ts';
import { getJob } from './get-job.ts';
import { jobEvents } from './job-events.ts';
import { endLostRuns, lostCandidates, unreachableClusters } from './lost-runs.ts';
import { markForgotten } from './mark-forgotten.ts';
import { pendingMessages } from './pending-messages.ts';
import { requestCancel } from './request-cancel.ts';
import { saveStrays } from './save-strays.ts';
import type { Session } from './session.ts';
import { observation, placement, type SmallWorld, smallWorld } from './testing/small-world.ts';
import { wantWithdrawn } from './waiting-runs.ts';

let fresh: FreshDatabase;
let world: SmallWorld;
let epoch: number;
let north: Session;
const all = { seeAll: true, groups: [] };

beforeAll(async () => {
  fresh = await freshDatabase();
  world = smallWorld(fresh.db);
  epoch = await world.lead();
  north = await world.session('north');
});
afterAll(() => fresh.close());

const jobOf = async (id: string) => (await getJob(fresh.db, all, id))!;
const kinds = async (jobId: string) => {
  const events = await jobEvents(fresh.db, all, { jobId, afterSequence: 0, limit: 1000 });
  expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
  return events.map((event) => event.kind);
};

async function placed(input: Parameters<SmallWorld['submit']>[0] = {}, tasks = '0') {
  const jobId = await world.submit(input);
  const commit = await world.commit(epoch, placement(jobId, 'north', tasks));
  return { jobId, runId: commit!.placed[0]!.runId };
}

test('a life: placed, running, succeeded; each word once in the events', async () => {
  const { jobId, runId } = await placed();
  const seen = [
    observation(runId),
    observation(runId, { nativeState: 'RUNNING', started: '0', startedAtMs: 1_790_000_000_000 }),
    observation(runId, {
      nativeState: 'COMPLETED',
      started: '0',
      ends: [{ outcome: 'succeeded', exitCode: 0, tasks: '0' }],
    }),
  ];
  for (const each of [...seen, seen[2]!])
    expect(await world.observe(north, each)).toEqual({ accepted: [runId], unknown: [] });
  expect(await jobOf(jobId)).toMatchObject({
    ...{
      state: 'succeeded',
      reason: null,
      exitCode: 0,
      startedAt: '2026-09-21T14:13:20.000Z',
      nativeState: 'COMPLETED',
    },
    runs: [{ state: 'ended', outcome: 'succeeded' }],
  });
  expect(await kinds(jobId)).toEqual(['submitted', 'placing', 'placed', 'running', 'tasks_ended', 'ended']);
});

test('an end is final and nothing moves back, whatever is said later', async () => {
  const { jobId, runId } = await placed();
  await world.observe(
    north,
    observation(runId, { started: '0', ends: [{ outcome: 'failed', reason: 'exit_code', exitCode: 3, tasks: '0' }] }),
  );
  await world.observe(north, observation(runId, { ends: [{ outcome: 'succeeded', exitCode: 0, tasks: '0' }] }));
  await world.observe(north, observation(runId, { nativeState: 'PENDING' }));
  expect(await jobOf(jobId)).toMatchObject({ state: 'failed', reason: 'exit_code', exitCode: 3 });
});

test('what is unknown is named and costs nothing; another cluster’s run is unknown', async () => {
  const { runId } = await placed();
  const south = await world.session('south');
  const absent = crypto.randomUUID();
  expect(await world.observe(south, observation(runId), observation(absent))).toEqual({
    accepted: [],
    unknown: [runId, absent],
  });
});

test('a session that was replaced changes nothing', async () => {
  const west = await world.session('west');
  const jobId = await world.submit();
  const { runId } = (await world.commit(epoch, placement(jobId, 'west')))!.placed[0]!;
  const newer = await world.session('west');
  expect(await world.observe(west, observation(runId))).toBeNull();
  expect(await pendingMessages(fresh.db, west)).toBeNull();
  expect(await markForgotten(fresh.db, west, [runId])).toBe(false);
  expect((await jobOf(jobId)).state).toBe('placing');
  expect((await pendingMessages(fresh.db, newer))!.offers).toMatchObject([{ runId, observedBefore: false }]);
});

test('a withdrawn run gives its task back at once and uses no attempt', async () => {
  const { jobId, runId } = await placed();
  await world.observe(north, observation(runId));
  expect(await wantWithdrawn(fresh.db, { epoch }, [runId], 'another is free')).toBe(1);
  expect((await pendingMessages(fresh.db, north))!.withdraws).toEqual([runId]);
  await world.observe(north, observation(runId, { ends: [{ outcome: 'withdrawn', tasks: '0' }] }));
  expect(await jobOf(jobId)).toMatchObject({ state: 'queued', tasks: { queued: '0' } });
  const again = (await world.commit(epoch, placement(jobId, 'north')))!.placed[0]!;
  expect((await jobOf(jobId)).runs.at(-1)).toMatchObject({ id: again.runId, attempt: 1 });
  expect((await pendingMessages(fresh.db, north))!.withdraws).toEqual([]);
});

test('a withdrawal that came too late is over when the task has started', async () => {
  const { runId } = await placed();
  await world.observe(north, observation(runId));
  await wantWithdrawn(fresh.db, { epoch }, [runId], 'another is free');
  await world.observe(north, observation(runId, { started: '0' }));
  expect((await pendingMessages(fresh.db, north))!.withdraws).toEqual([]);
});

test('refused again and again: backoff, other clusters preferred, and in the end failed', async () => {
  const jobId = await world.submit();
  for (let times = 1; times <= 8; times += 1) {
    await fresh.db.system.query('UPDATE jobs SET not_before = now() WHERE id = $1', [jobId]);
    const { runId } = (await world.commit(epoch, placement(jobId, 'north')))!.placed[0]!;
    await world.observe(
      north,
      observation(runId, {
        placed: false,
        ends: [{ outcome: 'refused', reason: 'rejected', detail: 'no', tasks: '0' }],
      }),
    );
    const { rows } = await fresh.db.system.query(
      'SELECT state, refusals, avoid_clusters, attempts, not_before FROM jobs WHERE id = $1',
      [jobId],
    );
    if (times < 8) {
      expect(rows[0]).toMatchObject({ state: 'queued', refusals: times, avoid_clusters: ['north'], attempts: 0 });
      expect(rows[0].not_before.getTime()).toBeGreaterThan(Date.now());
    }
  }
  expect(await jobOf(jobId)).toMatchObject({
    state: 'failed',
    reason: 'rejected',
    detail: expect.stringContaining('8 times'),
  });
});

test('parts of an array that were refused before anybody could react count as one refusal', async () => {
  const jobId = await world.submit({ array: { tasks: '0-9' } });
  const parts = Array.from({ length: 10 }, (_, at) => placement(jobId, 'north', `${at}`));
  const { placed: runs } = (await world.commit(epoch, ...parts))!;
  for (const [at, { runId }] of runs.entries())
    await world.observe(
      north,
      observation(runId, { placed: false, ends: [{ outcome: 'refused', reason: 'rejected', tasks: `${at}` }] }),
    );
  expect(await jobOf(jobId)).toMatchObject({ state: 'queued', tasks: { queued: '0-9', failed: '' } });
  const { rows } = await fresh.db.system.query('SELECT refusals FROM jobs WHERE id = $1', [jobId]);
  expect(rows).toEqual([{ refusals: 1 }]);
});

test('an array is one record: parts end differently, the worst speaks for all', async () => {
  const { jobId, runId } = await placed({ array: { tasks: '0-9' } }, '0-4');
  const other = (await world.commit(epoch, placement(jobId, 'north', '5-9')))!.placed[0]!.runId;
  await world.observe(
    north,
    observation(runId, {
      started: '0-4',
      ends: [
        { outcome: 'succeeded', exitCode: 0, tasks: '0-3' },
        { outcome: 'failed', reason: 'exit_code', exitCode: 9, tasks: '4' },
      ],
    }),
    observation(other, { started: '5-7' }),
  );
  expect(await jobOf(jobId)).toMatchObject({
    ...{ state: 'running', reason: null, exitCode: null, endedAt: null },
    tasks: { succeeded: '0-3', failed: '4', out: '5-9', counts: { running: 3, out: 5 } },
  });
  await world.observe(
    north,
    observation(other, { started: '5-9', ends: [{ outcome: 'succeeded', exitCode: 0, tasks: '5-9' }] }),
  );
  expect(await jobOf(jobId)).toMatchObject({ state: 'failed', reason: 'exit_code', exitCode: 9, tasks: { out: '' } });
});

test('an exit code that the job names is tried again as the next attempt', async () => {
  const { jobId, runId } = await placed({ retry: { maxAttempts: 2, on: { exitCodes: [75] } } });
  const failed = { outcome: 'failed' as const, reason: 'exit_code' as const, exitCode: 75, tasks: '0' };
  await world.observe(north, observation(runId, { started: '0', ends: [failed] }));
  expect(await jobOf(jobId)).toMatchObject({ state: 'queued', exitCode: null });
  const second = (await world.commit(epoch, placement(jobId, 'north')))!.placed[0]!.runId;
  expect((await jobOf(jobId)).runs.at(-1)).toMatchObject({ attempt: 2 });
  await world.observe(north, observation(second, { started: '0', ends: [failed] }));
  expect(await jobOf(jobId)).toMatchObject({ state: 'failed', exitCode: 75 });
});

test('every task of an array has all its attempts, whatever its siblings needed', async () => {
  const retry = { maxAttempts: 2, on: { exitCodes: [75] } };
  const { jobId, runId } = await placed({ array: { tasks: '0-1' }, retry }, '0');
  const fail = (run: string, tasks: string) =>
    world.observe(
      north,
      observation(run, { started: tasks, ends: [{ outcome: 'failed', reason: 'exit_code', exitCode: 75, tasks }] }),
    );
  const next = async (tasks: string) => (await world.commit(epoch, placement(jobId, 'north', tasks)))!.placed[0]!.runId;
  await fail(runId, '0');
  await fail(await next('0-1'), '0-1');
  expect((await jobOf(jobId)).tasks).toMatchObject({ queued: '1', failed: '0' });
  await fail(await next('1'), '1');
  expect(await jobOf(jobId)).toMatchObject({ state: 'failed', tasks: { failed: '0-1' } });
});

test('cancel: what is queued ends at once, what is out when its cluster says so, and the job knows who asked', async () => {
  const { jobId, runId } = await placed({ array: { tasks: '0-3' } }, '0-1');
  expect(await requestCancel(fresh.db, { jobId, reason: 'cancelled_by_admin', actor: 'root' })).toBe('requested');
  expect(await jobOf(jobId)).toMatchObject({ state: 'placing', tasks: { cancelled: '2-3', out: '0-1' } });
  // Its agent has not spoken of it: the offer comes first, for it may have been submitted already.
  const first = (await pendingMessages(fresh.db, north))!;
  expect(first.cancels).not.toContain(runId);
  expect(first.offers).toContainEqual(expect.objectContaining({ runId, observedBefore: false }));
  await world.observe(north, observation(runId));
  expect((await pendingMessages(fresh.db, north))!.cancels).toEqual([runId]);
  await world.observe(
    north,
    observation(runId, { ends: [{ outcome: 'cancelled', reason: 'cancelled_by_user', tasks: '0-1' }] }),
  );
  expect(await jobOf(jobId)).toMatchObject({ state: 'cancelled', reason: 'cancelled_by_admin' });
  expect(await requestCancel(fresh.db, { jobId, reason: 'cancelled_by_user', actor: 'ada' })).toBe('already_ended');
  expect(await requestCancel(fresh.db, { jobId: crypto.randomUUID(), reason: 'cancelled_by_user', actor: 'ada' })).toBe(
    'unknown',
  );
  expect(await kinds(jobId)).toEqual([
    'submitted',
    'placing',
    'cancel_requested',
    'tasks_ended',
    'placed',
    'tasks_ended',
    'ended',
  ]);
});

test('what has ended is to be forgotten until the agent has done so', async () => {
  const { runId } = await placed();
  await world.observe(north, observation(runId, { started: '0', ends: [{ outcome: 'succeeded', tasks: '0' }] }));
  expect((await pendingMessages(fresh.db, north))!.forgets).toContain(runId);
  await markForgotten(fresh.db, north, [runId]);
  expect((await pendingMessages(fresh.db, north))!.forgets).not.toContain(runId);
});

test('an agent that has lost what is to be cancelled is shown the order, to follow and never to submit', async () => {
  const young = await world.session('young');
  const jobId = await world.submit();
  const { runId } = (await world.commit(epoch, placement(jobId, 'young')))!.placed[0]!;
  await requestCancel(fresh.db, { jobId, reason: 'cancelled_by_user', actor: 'ada' });
  expect(await pendingMessages(fresh.db, young)).toMatchObject({
    offers: [{ runId, observedBefore: false }],
    cancels: [],
  });
  await world.observe(young, observation(runId, { placed: false, nativeId: '', nativeState: '' }));
  const asked = { offers: [{ runId, observedBefore: true }], cancels: [runId] };
  expect(await pendingMessages(fresh.db, young)).toMatchObject(asked);
  expect(await pendingMessages(fresh.db, await world.session('young'))).toMatchObject(asked);
});

test('cancels that nobody answers do not keep what has ended from being forgotten', async () => {
  const slow = await world.session('slow');
  const [stuck, done] = [await world.submit(), await world.submit()];
  const { placed: runs } = (await world.commit(epoch, placement(stuck, 'slow'), placement(done, 'slow')))!;
  await requestCancel(fresh.db, { jobId: stuck, reason: 'cancelled_by_user', actor: 'ada' });
  await world.observe(slow, observation(runs[0]!.runId));
  await world.observe(
    slow,
    observation(runs[1]!.runId, { started: '0', ends: [{ outcome: 'succeeded', tasks: '0' }] }),
  );
  expect(await pendingMessages(fresh.db, slow, { others: 1 })).toMatchObject({
    cancels: [runs[0]!.runId],
    forgets: [runs[1]!.runId],
  });
});

test('a cluster given up: rerunnable work comes back, the rest has failed, and should it return it is told to cancel', async () => {
  const lost = await world.session('lost');
  const place = async (input: Parameters<SmallWorld['submit']>[0]) => {
    const jobId = await world.submit(input);
    const { runId } = (await world.commit(epoch, placement(jobId, 'lost')))!.placed[0]!;
    await world.observe(lost, observation(runId, { started: '0' }));
    return { jobId, runId };
  };
  const [once, again] = [await place({}), await place({ rerunnable: true, retry: { maxAttempts: 3 } })];
  expect(await forgetCluster(fresh.db, { cluster: 'lost', actor: 'op', why: 'burnt' })).toEqual({ runs: 2 });
  expect(await jobOf(once.jobId)).toMatchObject({ state: 'failed', reason: 'cluster_lost' });
  expect(await jobOf(again.jobId)).toMatchObject({ state: 'queued', tasks: { queued: '0' } });

  const alive = observation(once.runId, { started: '0', nativeState: 'RUNNING' });
  const known = {
    observation: alive,
    jobId: once.jobId,
    jobNumber: 1,
    attempt: 1,
    tasks: '0',
    specHash: '',
    forgotten: false,
  };
  const back = await world.session('lost', {}, [known]);
  expect(await pendingMessages(fresh.db, back)).toMatchObject({ cancels: [once.runId], forgets: [again.runId] });
  await world.observe(back, { ...alive, ends: [{ outcome: 'cancelled', reason: 'cancelled_by_user', tasks: '0' }] });
  expect(await pendingMessages(fresh.db, back)).toMatchObject({ cancels: [], forgets: [once.runId, again.runId] });
  expect((await jobOf(once.jobId)).state).toBe('failed');
});

test('out of sight: only rerunnable jobs that say how long are candidates', async () => {
  await world.session('dark');
  const patient = await world.submit({ rerunnable: true, retry: { maxAttempts: 2, lostAfterSeconds: 60 } });
  const plain = await world.submit();
  const commit = await world.commit(epoch, placement(patient, 'dark'), placement(plain, 'dark'));
  await fresh.db.system.query("UPDATE clusters SET last_seen_at = now() - interval '1 hour' WHERE name = 'dark'");
  expect(await unreachableClusters(fresh.db, 30_000)).toEqual(['dark']);
  expect((await jobOf(plain)).unreachable).toBe(true);
  const { runId } = commit!.placed[0]!;
  expect(await lostCandidates(fresh.db, ['dark'])).toEqual([{ runId, cluster: 'dark', lostAfterSeconds: 60 }]);
  expect(await endLostRuns(fresh.db, { epoch: epoch - 1 }, [runId])).toBeNull();
  expect(await endLostRuns(fresh.db, { epoch }, [runId])).toBe(1);
  expect(await jobOf(patient)).toMatchObject({ state: 'queued' });
});

test('out of sight: nothing is given up that could not be made again, or that is to be cancelled', async () => {
  await world.session('gloom');
  const retry = { lostAfterSeconds: 60 };
  const last = await world.submit({ rerunnable: true, retry });
  const unwanted = await world.submit({ rerunnable: true, retry: { ...retry, maxAttempts: 2 } });
  await world.commit(epoch, placement(last, 'gloom'), placement(unwanted, 'gloom'));
  await requestCancel(fresh.db, { jobId: unwanted, reason: 'cancelled_by_user', actor: 'ada' });
  expect(await lostCandidates(fresh.db, ['gloom'])).toEqual([]);
});

test('a stray is cancelled only if its run has ended or goes by another native id', async () => {
  const [ended, open] = [await placed(), await placed()];
  await world.observe(
    north,
    observation(ended.runId, { started: '0', ends: [{ outcome: 'succeeded', tasks: '0' }] }),
    observation(open.runId, { nativeId: '50' }),
  );
  const stray = (nativeId: string, runId: string) => ({
    nativeId,
    runId,
    nativeState: 'PENDING',
    nativeSubmittedAtMs: 0,
  });
  const cancelled = await saveStrays(fresh.db, north, [
    stray('40', ended.runId),
    stray('50', open.runId),
    stray('51', open.runId),
    stray('60', crypto.randomUUID()),
    stray('61', 'not a uuid'),
  ]);
  expect(cancelled).toEqual(
    expect.arrayContaining([
      { nativeId: '40', runId: ended.runId },
      { nativeId: '51', runId: open.runId },
    ]),
  );
  expect(cancelled).toHaveLength(2);
});

test('many observers at once: no deadlock, no lost event, no gap in the numbers', async () => {
  const sessions = await Promise.all(['a', 'b', 'c', 'd'].map((name) => world.session(name)));
  const jobId = await world.submit({ array: { tasks: '0-79' } });
  const cuts = Array.from({ length: 40 }, (_, at) =>
    placement(jobId, sessions[at % 4]!.cluster, `${at * 2}-${at * 2 + 1}`),
  );
  const { placed: runs } = (await world.commit(epoch, ...cuts))!;
  const end = (at: number) => ({
    started: `${at * 2}-${at * 2 + 1}`,
    ends: [{ outcome: 'succeeded' as const, tasks: `${at * 2}-${at * 2 + 1}` }],
  });
  await Promise.all(
    runs.flatMap(({ runId }, at) => [
      world.observe(sessions[at % 4]!, observation(runId)),
      world.observe(sessions[at % 4]!, observation(runId, end(at))),
    ]),
  );
  expect(await jobOf(jobId)).toMatchObject({ state: 'succeeded', tasks: { succeeded: '0-79' } });
  expect((await kinds(jobId)).filter((kind) => kind === 'ended')).toHaveLength(1);
});
