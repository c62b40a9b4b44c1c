import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { until } from '../../../test/support/until.ts';
import { forgetCluster } from './forget-cluster.ts';
import { getJob } from './get-job.ts';
import { pendingMessages } from './pending-messages.ts';
import { reconcilePause } from './reconcile-pause.ts';
import { saveStrays } from './save-strays.ts';
import { observation, placement, type SmallWorld, smallWorld } from './testing/small-world.ts';
import { closeSession } from './touch-session.ts';
import { wantWithdrawn } from './waiting-runs.ts';

let fresh: FreshDatabase;
let world: SmallWorld;
let epoch: number;
const all = { seeAll: true, groups: [] };

beforeEach(async () => {
  fresh = await freshDatabase();
  world = smallWorld(fresh.db);
  epoch = await world.lead();
});
afterEach(() => fresh.close());

test('an agent that has seen more stops everything until every cluster is reconciled again', async () => {
  const south = await world.session('south');
  const jobId = await world.submit();
  const waiting = await world.submit();
  const { runId } = (await world.commit(epoch, placement(jobId, 'south')))!.placed[0]!;
  expect(await world.hello('north', { highestPlacementNumber: 70 })).toMatchObject({ ok: true, placementNumber: 1 });
  expect(await reconcilePause(fresh.db, { epoch })).toMatchObject({ kind: 'paused', waitingFor: ['north', 'south'] });
  expect(await pendingMessages(fresh.db, south)).toMatchObject({ offers: [], mustReconnect: true });
  expect((await world.commit(epoch, placement(waiting, 'south')))!.refused).toHaveLength(1);

  await world.session('north', { highestPlacementNumber: 70 });
  expect(await reconcilePause(fresh.db, { epoch })).toMatchObject({ kind: 'paused', waitingFor: ['south'] });
  const again = await world.session('south');
  expect(await reconcilePause(fresh.db, { epoch })).toEqual({ kind: 'resumed', placementNumber: 70 });
  expect(await reconcilePause(fresh.db, { epoch })).toEqual({ kind: 'running' });
  expect(await pendingMessages(fresh.db, again)).toMatchObject({ offers: [{ runId }], mustReconnect: false });
  await world.commit(epoch, placement(waiting, 'north'));
  expect((await getJob(fresh.db, all, waiting))!.runs[0]!.placementNumber).toBe(71);
});

test('runs that only an agent knows are written down: out, ended, or under a number given away again', async () => {
  await world.session('north');
  const jobs = [await world.submit(), await world.submit(), await world.submit({ array: { tasks: '0-5' } })];
  const taken = await world.submit();
  await world.commit(epoch, placement(taken, 'north'));
  const inventory = (jobId: string, placementNumber: number, tasks: string, change: object, forgotten = false) => {
    const runId = crypto.randomUUID();
    const seen = observation(runId, { placementNumber, ...change });
    return { observation: seen, jobId, jobNumber: 0, attempt: 1, tasks, specHash: '', forgotten };
  };
  const known = [
    inventory(jobs[0]!, 1, '0', { started: '0', nativeId: '11' }),
    inventory(jobs[1]!, 8, '0', { started: '0', ends: [{ outcome: 'succeeded', exitCode: 0, tasks: '0' }] }, true),
    inventory(jobs[2]!, 9, '1-3', {}),
    inventory(crypto.randomUUID(), 10, '0', { nativeId: '14' }),
  ];
  const north = await world.session('north', { highestPlacementNumber: 10 }, known);
  const states = await Promise.all(jobs.map((id) => getJob(fresh.db, all, id)));
  expect(states).toMatchObject([
    { state: 'running', tasks: { queued: '' }, nativeId: '11' },
    { state: 'succeeded', tasks: { queued: '', succeeded: '0' } },
    { state: 'placed', tasks: { queued: '0,4-5', out: '1-3' } },
  ]);
  const { rows } = await fresh.db.system.query('SELECT native_id, verdict FROM strays');
  expect(rows).toEqual([{ native_id: '14', verdict: 'show' }]);
  expect(await reconcilePause(fresh.db, { epoch })).toEqual({ kind: 'resumed', placementNumber: 10 });
  const pending = (await pendingMessages(fresh.db, north))!;
  expect(pending.offers.map((offer) => offer.jobId)).toEqual([taken]);
  expect(pending.forgets).toEqual([]);
});

test('two runs of one task after a restore: the end of one does not queue what the other holds', async () => {
  const south = await world.session('south');
  const jobId = await world.submit();
  const { runId: first } = (await world.commit(epoch, placement(jobId, 'south')))!.placed[0]!;
  const second = observation(crypto.randomUUID(), { placementNumber: 5, started: '0' });
  await world.session('north', { highestPlacementNumber: 5 }, [
    { observation: second, jobId, jobNumber: 0, attempt: 1, tasks: '0', specHash: '', forgotten: false },
  ]);
  await world.observe(south, observation(first, { ends: [{ outcome: 'withdrawn', tasks: '0' }] }));
  expect(await getJob(fresh.db, all, jobId)).toMatchObject({ state: 'running', tasks: { queued: '', out: '0' } });
});

test.each([
  ['another name for the same cluster', 'south', 'slurm:north', 'fingerprint_taken'],
  ['another cluster under a name that still has runs', 'north', 'slurm:other', 'fingerprint_changed'],
])('%s is refused', async (_, name, fingerprint, code) => {
  await world.session('north');
  await world.commit(epoch, placement(await world.submit(), 'north'));
  expect(await world.hello(name, { fingerprint })).toMatchObject({ ok: false, code });
});

test('a cluster that is declared dead does not keep the others waiting, one with a live session must still tell', async () => {
  await closeSession(fresh.db, await world.session('burnt'));
  await world.session('south');
  await world.session('north', { highestPlacementNumber: 5 });
  for (const cluster of ['burnt', 'south']) await forgetCluster(fresh.db, { cluster, actor: 'op' });
  expect(await reconcilePause(fresh.db, { epoch })).toMatchObject({ kind: 'paused', waitingFor: ['south'] });
  await world.session('south');
  expect(await reconcilePause(fresh.db, { epoch })).toMatchObject({ kind: 'resumed' });
});

test('a pause that commits while a session waits for its row stops withdrawals and the cancelling of strays at once', async () => {
  const north = await world.session('north');
  const [moved, ended] = [await world.submit(), await world.submit()];
  const { placed } = (await world.commit(epoch, placement(moved, 'north'), placement(ended, 'north')))!;
  await world.observe(
    north,
    observation(placed[0]!.runId),
    observation(placed[1]!.runId, { started: '0', ends: [{ outcome: 'succeeded', tasks: '0' }] }),
  );
  await wantWithdrawn(fresh.db, { epoch }, [placed[0]!.runId], 'another is free');
  const stray = { nativeId: '7', runId: placed[1]!.runId, nativeState: 'PENDING', nativeSubmittedAtMs: 0 };
  expect(await saveStrays(fresh.db, north, [stray])).toHaveLength(1);
  expect(await pendingMessages(fresh.db, north)).toMatchObject({ withdraws: [placed[0]!.runId], cancelStrays: [{}] });

  const pause = await fresh.db.system.connect();
  await pause.query('BEGIN');
  await pause.query("UPDATE federation SET paused_reason = 'a test', paused_at = now()");
  await pause.query('UPDATE clusters SET reconciled_at = NULL');
  const asked = [pendingMessages(fresh.db, north), saveStrays(fresh.db, north, [stray])] as const;
  await until('both wait for the row', async () => {
    const waiting = await fresh.asSuperuser(
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    );
    return waiting.rowCount === 2;
  });
  await pause.query('COMMIT');
  pause.release();
  expect(await asked[0]).toMatchObject({ offers: [], withdraws: [], cancelStrays: [] });
  expect(await asked[1]).toEqual([]);
});
