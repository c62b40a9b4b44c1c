import { afterEach, beforeEach, expect, test } from 'vitest';
import { inventoryRun } from '../support/fake-agent.ts';
import { type SmallBroker, startSmallBroker } from '../support/small-broker.ts';
import { until } from '../support/until.ts';

let broker: SmallBroker;
beforeEach(async () => {
  broker = await startSmallBroker({ unreachableAfterMs: 200, fallbackMs: 50 });
});
afterEach(() => broker.close());

test('a run out of sight is made again only if its job allows it, and its first copy is cancelled when the cluster is back', async () => {
  const north = await broker.ready('north');
  const bound = await broker.submit({ name: 'bound' });
  const free = await broker.submit({ name: 'free', rerunnable: true, retry: { maxAttempts: 2, lostAfterSeconds: 60 } });
  // The schema allows no less than a minute; the test has not that long.
  await broker.asSuperuser(
    `UPDATE jobs SET spec = jsonb_set(spec, '{retry,lostAfterSeconds}', '2') WHERE id = '${free}'`,
  );
  const offers = [
    await north.wait('offer', (offer) => offer.jobId === bound),
    await north.wait('offer', (offer) => offer.jobId === free),
  ] as const;
  for (const { runId, placementNumber } of offers)
    north.observe({ runId, placementNumber, nativeId: `n${placementNumber}`, started: '0' });
  await broker.reaches(free, 'running');
  await broker.reaches(bound, 'running');
  north.close();
  await north.ended;

  const south = await broker.ready('south', { automatic: true });
  const alive = setInterval(() => south.send({ $case: 'alive', value: {} }), 50);
  await broker.reaches(free, 'succeeded').finally(() => clearInterval(alive));
  expect((await broker.runs(free)).map(({ cluster, reason }) => [cluster, reason])).toEqual([
    ['north', 'cluster_lost'],
    ['south', null],
  ]);
  expect(await broker.runs(bound)).toHaveLength(1);

  const back = await broker.ready('north', {
    inventory: offers.map((offer) => inventoryRun(offer, { nativeId: `n${offer.placementNumber}`, started: '0' })),
  });
  expect(await back.wait('cancel')).toEqual({ runId: offers[1].runId });
  expect((await broker.job(bound)).state).toBe('running');
  await until('the job keeps its end', async () => (await broker.job(free)).state === 'succeeded');
});
