import { afterEach, beforeEach, expect, test } from 'vitest';
import { inventoryRun, taskEnd } from '../support/fake-agent.ts';
import { type SmallBroker, startSmallBroker } from '../support/small-broker.ts';
import { until } from '../support/until.ts';

let broker: SmallBroker;
beforeEach(async () => {
  broker = await startSmallBroker();
});
afterEach(() => broker.close());

const paused = async () => {
  const { rows } = await broker.db.system.query('SELECT paused_reason FROM federation');
  return rows[0].paused_reason as string | null;
};

test('an agent that has seen more stops placement until every inventory is in, and then it goes on', async () => {
  const east = await broker.ready('east', { automatic: true });
  const north = await broker.ready('north', { automatic: true });
  await broker.reaches(await broker.submit(), 'succeeded');
  east.close();
  await east.ended;

  const back = broker.connect('east', { hello: { highestPlacementNumber: 1000 } });
  await back.welcome;
  expect(await paused()).toContain('1000');
  expect(await north.ended).toMatchObject({ details: expect.stringContaining('inventory') });
  const jobId = await broker.submit();
  await until('the scheduler says why', () => broker.scheduler.status().stoppedBy);
  expect(await broker.runs(jobId)).toEqual([]);

  await broker.ready('north', { automatic: true });
  await until('placement goes on', async () => (await paused()) === null);
  const [run] = await until('the job is placed', async () => {
    const runs = await broker.runs(jobId);
    return runs.length > 0 && runs;
  });
  expect(run!.placement_number).toBeGreaterThan(1000);
});

test('a run that only the agent knows rolls its job forward and is not placed again', async () => {
  const north = await broker.ready('north');
  const jobId = await broker.submit();
  const offer = await north.wait('offer');
  const known = { nativeId: '5', started: '0' };
  north.close();
  await north.ended;
  await backInTime(jobId);

  await broker.ready('north', {
    hello: { highestPlacementNumber: offer.placementNumber },
    inventory: [inventoryRun(offer, known)],
  });
  await broker.reaches(jobId, 'running');
  await until('placement goes on', async () => (await paused()) === null);
  const agent = await broker.ready('north', { inventory: [inventoryRun(offer, known)] });
  const { runId, placementNumber } = offer;
  agent.observe({ runId, placementNumber, ...known, ends: [taskEnd({})] });
  await broker.reaches(jobId, 'succeeded');
  expect((await broker.runs(jobId)).map((run) => run.id)).toEqual([runId]);
});

test('a run that was forgotten after the backup is answered from the log of the agent', async () => {
  const north = await broker.ready('north', { automatic: true });
  const jobId = await broker.submit();
  const offer = await north.wait('offer');
  await broker.reaches(jobId, 'succeeded');
  north.close();
  await north.ended;
  await backInTime(jobId);

  await broker.ready('north', {
    hello: { highestPlacementNumber: offer.placementNumber },
    inventory: [inventoryRun(offer, { nativeId: '5', started: '0', ends: [taskEnd({})] }, true)],
  });
  await broker.reaches(jobId, 'succeeded');
  expect(await broker.runs(jobId)).toHaveLength(1);
});

test('a run of a job that nobody knows is shown as a stray and never cancelled', async () => {
  const north = await broker.ready('north');
  await broker.submit();
  const offer = await north.wait('offer');
  const unknown = { ...offer, runId: crypto.randomUUID(), jobId: crypto.randomUUID(), placementNumber: 99 };
  const agent = await broker.ready('north', {
    hello: { highestPlacementNumber: 99 },
    inventory: [inventoryRun(offer, {}), inventoryRun(unknown, { nativeId: '8', started: '0' })],
  });
  await until('placement goes on', async () => (await paused()) === null);
  const { rows } = await broker.db.system.query('SELECT native_id, verdict FROM strays');
  expect(rows).toEqual([{ native_id: '8', verdict: 'show' }]);
  await agent.wait('placementNumber');
  expect(agent.received.some((message) => message.$case === 'cancelStray')).toBe(false);
});

/** What a restore from before the placement leaves: the job queued, no run, a smaller placement number. */
async function backInTime(jobId: string): Promise<void> {
  await broker.scheduler.stop();
  await broker.asSuperuser(`
    DELETE FROM runs WHERE job_id = '${jobId}';
    DELETE FROM events WHERE job_id = '${jobId}' AND kind <> 'submitted';
    UPDATE jobs SET state = 'queued', queued = tasks, succeeded = '{}', attempts = 0, event_count = 1,
           started_at = NULL, ended_at = NULL WHERE id = '${jobId}';
    UPDATE clusters SET highest_placement = 0;
    UPDATE federation SET placement_number = 0`);
  broker.addScheduler('after the restore');
}
