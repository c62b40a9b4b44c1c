import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { pendingMessages } from './pending-messages.ts';
import { setAdmission } from './set-admission.ts';
import { observation, placement, type SmallWorld, smallWorld } from './testing/small-world.ts';

let fresh: FreshDatabase;
let world: SmallWorld;

beforeAll(async () => {
  fresh = await freshDatabase();
  world = smallWorld(fresh.db);
});
afterAll(() => fresh.close());

test('a drained cluster gives back what has not started, and keeps what runs; a cordoned one keeps both', async () => {
  const epoch = await world.lead();
  const session = await world.session('north');
  const jobs = [await world.submit(), await world.submit()];
  const committed = await world.commit(epoch, ...jobs.map((id) => placement(id, 'north')));
  const [runs, waits] = committed!.placed.map((run) => run.runId);
  await world.observe(
    session,
    observation(runs!, { placed: true, started: '0' }),
    observation(waits!, { placed: true }),
  );

  await setAdmission(fresh.db, { cluster: 'north', admission: 'cordoned', actor: 'op' });
  expect((await pendingMessages(fresh.db, session))!.withdraws).toEqual([]);
  await setAdmission(fresh.db, { cluster: 'north', admission: 'draining', actor: 'op' });
  expect((await pendingMessages(fresh.db, session))!.withdraws).toEqual([waits]);
});
