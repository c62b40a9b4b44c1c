import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { report } from '../../../core/src/placement/testing/build-snapshot.ts';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { saveCapacity } from '../db/save-capacity.ts';
import { smallWorld } from '../db/testing/small-world.ts';
import { defaultSchedulerSettings } from './settings.ts';
import { tick } from './tick.ts';

let fresh: FreshDatabase;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.close());

test.each([
  ['ahead of', 3_600_000],
  ['behind', -3_600_000],
])('a broker whose clock is set far %s the time of the database places on', async (_, byMs) => {
  const world = smallWorld(fresh.db);
  const epoch = await world.lead();
  await saveCapacity(fresh.db, await world.session(`north${byMs}`), report());
  await world.submit();
  const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + byMs);
  const result = await tick(fresh.db, epoch, defaultSchedulerSettings).finally(() => clock.mockRestore());
  expect(result).toMatchObject({ placed: 1, stoppedBy: null });
});
