import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FakeAgent, taskEnd } from '../support/fake-agent.ts';
import { type SmallBroker, startSmallBroker } from '../support/small-broker.ts';
import { until } from '../support/until.ts';

let broker: SmallBroker;
beforeEach(async () => {
  broker = await startSmallBroker();
});
afterEach(() => broker.close());

test('a cluster that refuses everything is left alone for a while, and what it refused runs elsewhere', async () => {
  const hole = await broker.ready('hole');
  refuseEverything(hole);
  const jobs = await Promise.all(Array.from({ length: 12 }, () => broker.submit()));
  await until('the breaker is open', async () => {
    const { rows } = await broker.db.system.query('SELECT breaker_reason FROM clusters WHERE breaker_until > now()');
    return rows[0]?.breaker_reason;
  });
  await broker.ready('north', { automatic: true });
  for (const jobId of jobs) expect(await broker.reaches(jobId, 'succeeded')).toMatchObject({ attempts: 0 });
});

function refuseEverything(agent: FakeAgent) {
  const seen = new Set<string>();
  const next = async (nth: number): Promise<void> => {
    const { runId, placementNumber } = await agent.wait('offer', undefined, nth);
    if (!seen.has(runId)) {
      seen.add(runId);
      const ends = [taskEnd({ outcome: 'refused', reason: 'rejected', detail: 'no such file system' })];
      agent.observe({ runId, placementNumber, placed: false, ends });
    }
    return next(nth + 1);
  };
  void next(1);
}
