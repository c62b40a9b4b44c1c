import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { commitPlan } from './commit-plan.ts';
import { getJob } from './get-job.ts';
import { jobEvents } from './job-events.ts';
import { loadSnapshot } from './load-snapshot.ts';
import { requestCancel } from './request-cancel.ts';
import { setAdmission } from './set-admission.ts';
import { observation, placement, planOf, type SmallWorld, smallWorld } from './testing/small-world.ts';

let fresh: FreshDatabase;
let world: SmallWorld;
let epoch: number;
const all = { seeAll: true, groups: [] };

beforeAll(async () => {
  fresh = await freshDatabase();
  world = smallWorld(fresh.db);
  epoch = await world.lead();
  await world.session('north');
  await world.session('south');
});
afterAll(() => fresh.close());

const jobOf = async (id: string) => (await getJob(fresh.db, all, id))!;

test('what is placed is out under rising numbers, and the job says so', async () => {
  const jobs = [await world.submit({ resources: { cpusPerTask: 3 } }), await world.submit()];
  const committed = await world.commit(epoch, ...jobs.map((id) => placement(id, 'north')));
  expect(committed).toMatchObject({ placed: [{ jobId: jobs[0] }, { jobId: jobs[1] }], refused: [] });
  const [first, second] = await Promise.all(jobs.map(jobOf));
  expect(first).toMatchObject({ state: 'placing', cluster: 'north', tasks: { out: '0', queued: '' } });
  expect(second!.runs[0]!.placementNumber).toBe(first!.runs[0]!.placementNumber + 1);
  const events = await jobEvents(fresh.db, all, { jobId: jobs[0]!, afterSequence: 0, limit: 10 });
  expect(events.map(({ sequence, kind }) => [sequence, kind])).toEqual([
    [1, 'submitted'],
    [2, 'placing'],
  ]);
  const { clusters } = await loadSnapshot(fresh.db, { maxJobs: 10 });
  expect(clusters.find((cluster) => cluster.name === 'north')).toMatchObject({
    ...{ waitingTasks: 2, unansweredOffers: 2, placedCount: 2, connected: true },
    unstarted: [{ cpus: 3 }, { cpus: 1 }],
  });
});

test('a leader that was replaced stores nothing, although it waited for a row in between', async () => {
  const jobId = await world.submit();
  const blocker = await fresh.db.system.connect();
  await blocker.query('BEGIN');
  await blocker.query('SELECT FROM leader_lease WHERE id = 1 FOR UPDATE');
  const late = world.commit(epoch, placement(jobId, 'north'));
  await blocker.query("UPDATE leader_lease SET epoch = epoch + 1, holder = 'other'");
  await blocker.query('COMMIT');
  blocker.release();
  expect(await late).toBeNull();
  expect((await jobOf(jobId)).runs).toEqual([]);
  await fresh.db.system.query('UPDATE leader_lease SET holder = NULL');
  epoch = await world.lead();
});

test.each([
  ['cancelled', (id: string) => requestCancel(fresh.db, { jobId: id, reason: 'cancelled_by_user', actor: 'ada' })],
  ['placed already', (id: string) => world.commit(epoch, placement(id, 'south'))],
  ['for a cordoned cluster', () => setAdmission(fresh.db, { cluster: 'north', admission: 'cordoned', actor: 'op' })],
])('a line of the plan that is %s meanwhile is refused, the others stay', async (_, meanwhile) => {
  const jobId = await world.submit();
  await meanwhile(jobId);
  const other = await world.submit();
  const committed = await world.commit(epoch, placement(jobId, 'north'), placement(other, 'south'));
  expect(committed!.refused).toMatchObject([{ jobId, cluster: 'north' }]);
  expect(committed!.placed).toMatchObject([{ jobId: other }]);
  await setAdmission(fresh.db, { cluster: 'north', admission: 'active', actor: 'op' });
});

test('maxRunning holds, whoever commits at the same time and however often', async () => {
  const jobId = await world.submit({ array: { tasks: '0-99', maxRunning: 7 } });
  const cuts = Array.from({ length: 20 }, (_, at) =>
    placement(jobId, at % 2 ? 'north' : 'south', `${at * 5}-${at * 5 + 4}`),
  );
  const commits = await Promise.all(cuts.map((cut) => world.commit(epoch, cut)));
  expect(commits.filter((commit) => commit!.placed.length === 1)).toHaveLength(1);
  expect((await jobOf(jobId)).tasks.counts.out).toBe(5);
  expect((await world.commit(epoch, placement(jobId, 'north', '10-11')))!.placed).toHaveLength(1);
  expect((await world.commit(epoch, placement(jobId, 'north', '12')))!.refused).toHaveLength(1);
});

test('two lines of one plan cannot take the same task', async () => {
  const jobId = await world.submit();
  const committed = await world.commit(epoch, placement(jobId, 'north'), placement(jobId, 'south'));
  expect(committed).toMatchObject({ placed: [{ cluster: 'north' }], refused: [{ cluster: 'south' }] });
});

test('a job that can never start ends with its reason', async () => {
  const jobId = await world.submit();
  const dead = [{ jobId, reason: 'dependency' as const, sentence: 'the job it depends on failed' }];
  await commitPlan(fresh.db, { ...planOf([]), dead }, { epoch, newRunId: crypto.randomUUID.bind(crypto) });
  expect(await jobOf(jobId)).toMatchObject({
    ...{ state: 'cancelled', reason: 'dependency', detail: 'the job it depends on failed' },
  });
});

test('dependencies as sbatch has them', async () => {
  const session = await world.session('deps');
  const parents = new Map<string, string>();
  for (const end of ['succeeded', 'failed'] as const) {
    const id = await world.submit();
    const { placed } = (await world.commit(epoch, placement(id, 'deps')))!;
    const reason = end === 'failed' ? { reason: 'exit_code' as const, exitCode: 1 } : { exitCode: 0 };
    await world.observe(
      session,
      observation(placed[0]!.runId, { started: '0', ends: [{ outcome: end, tasks: '0', ...reason }] }),
    );
    parents.set(end, id);
  }
  parents.set('waiting', await world.submit());
  parents.set('absent', crypto.randomUUID());
  const table = [
    ['succeeded', 'succeeded', 'met'],
    ['failed', 'succeeded', 'impossible'],
    ['waiting', 'succeeded', 'unmet'],
    ['absent', 'succeeded', 'impossible'],
    ['failed', 'failed', 'met'],
    ['succeeded', 'failed', 'impossible'],
    ['failed', 'ended', 'met'],
    ['waiting', 'started', 'unmet'],
    ['succeeded', 'started', 'met'],
  ] as const;
  for (const [parent, when, expected] of table) {
    const id = await world.submit({ dependsOn: [{ job: parents.get(parent)!, when }] });
    const snapshot = await loadSnapshot(fresh.db, { maxJobs: 1, jobIds: [id] });
    expect([parent, when, snapshot.jobs[0]!.dependency]).toEqual([parent, when, expected]);
  }
});

test('jobs that wait for others do not hide those behind them', async () => {
  const waiting = await world.submit({ priority: 900 });
  for (let times = 0; times < 5; times += 1) await world.submit({ priority: 1000, dependsOn: [{ job: waiting }] });
  const { jobs } = await loadSnapshot(fresh.db, { maxJobs: 2 });
  expect(jobs.map((job) => job.id)).toContain(waiting);
});
