import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SmallBroker, startSmallBroker } from '../support/small-broker.ts';

let broker: SmallBroker;
beforeEach(async () => {
  broker = await startSmallBroker({ maxJobs: 3, fallbackMs: 50 });
});
afterEach(() => broker.close());

test('jobs that nobody can take do not hide those behind them, and the first of all still goes first', async () => {
  for (let times = 0; times < 10; times += 1)
    await broker.submit({ priority: 900, constraints: { clusters: ['nowhere'] } });
  const behind = await broker.submit();
  const agent = await broker.ready('north', { automatic: true });
  await broker.reaches(behind, 'succeeded');
  const first = await broker.submit({ priority: 1000 });
  await broker.reaches(first, 'succeeded');
  expect(agent.received.filter(({ $case }) => $case === 'offer')).toHaveLength(2);
});
