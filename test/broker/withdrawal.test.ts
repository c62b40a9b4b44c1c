import { requestWithdraw } from '@switchyard/broker/db/request-withdraw.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FakeAgent, taskEnd } from '../support/fake-agent.ts';
import { type SmallBroker, startSmallBroker } from '../support/small-broker.ts';
import { until } from '../support/until.ts';

let broker: SmallBroker;
beforeEach(async () => {
  broker = await startSmallBroker();
});
afterEach(() => broker.close());

/** A job placed on one of two clusters, not started. */
async function placedJob(agents: readonly FakeAgent[]) {
  const jobId = await broker.submit();
  const { agent, offer } = await Promise.race(
    agents.map((agent) => agent.wait('offer').then((offer) => ({ agent, offer }))),
  );
  const known = { runId: offer.runId, placementNumber: offer.placementNumber, nativeId: '1' };
  agent.observe(known);
  await broker.reaches(jobId, 'placed');
  return { jobId, agent, known, other: agents.find((each) => each !== agent)! };
}

async function twoAgents() {
  return [await broker.ready('east'), await broker.ready('north')];
}

test('won: the job goes to the other cluster and no attempt is used up', async () => {
  const { jobId, agent, known, other } = await placedJob(await twoAgents());
  expect(await requestWithdraw(broker.db, { runId: known.runId, actor: 'test' })).toBe('requested');
  expect(await agent.wait('withdraw')).toEqual({ runId: known.runId });
  agent.observe({ ...known, ends: [taskEnd({ outcome: 'withdrawn' })] });
  expect(await other.wait('offer')).toMatchObject({ jobId, attempt: 1 });
  expect((await broker.runs(jobId)).map(({ state, outcome }) => [state, outcome])).toEqual([
    ['ended', 'withdrawn'],
    ['offered', null],
  ]);
});

test('lost: what has started stays where it is', async () => {
  const { jobId, agent, known } = await placedJob(await twoAgents());
  await requestWithdraw(broker.db, { runId: known.runId, actor: 'test' });
  await agent.wait('withdraw');
  agent.observe({ ...known, started: '0' });
  await broker.reaches(jobId, 'running');
  agent.observe({ ...known, started: '0', ends: [taskEnd({})] });
  await broker.reaches(jobId, 'succeeded');
  expect(await broker.runs(jobId)).toHaveLength(1);
});

test('a withdrawal is repeated until the run has moved', async () => {
  const { agent, known } = await placedJob(await twoAgents());
  await requestWithdraw(broker.db, { runId: known.runId, actor: 'test' });
  await agent.wait('withdraw', () => true, 2);
});

test('a run that has started cannot be asked back', async () => {
  const { jobId, agent, known } = await placedJob(await twoAgents());
  agent.observe({ ...known, started: '0' });
  await broker.reaches(jobId, 'running');
  expect(await requestWithdraw(broker.db, { runId: known.runId, actor: 'test' })).toBe('not_waiting');
  expect(await requestWithdraw(broker.db, { runId: crypto.randomUUID(), actor: 'test' })).toBe('unknown');
});

test('cancel: the agent is asked until the end is confirmed', async () => {
  const { requestCancel } = await import('@switchyard/broker/db/request-cancel.ts');
  const { jobId, agent, known } = await placedJob(await twoAgents());
  await requestCancel(broker.db, { jobId, reason: 'cancelled_by_user', actor: 'test' });
  expect(await agent.wait('cancel')).toEqual({ runId: known.runId });
  expect((await broker.job(jobId)).state).toBe('placed');
  agent.observe({ ...known, ends: [taskEnd({ outcome: 'cancelled', reason: 'cancelled_by_user' })] });
  expect(await broker.reaches(jobId, 'cancelled')).toMatchObject({ reason: 'cancelled_by_user' });
});

test('a run that waits while another cluster is idle is taken back, where a site wants that', async () => {
  await broker.close();
  broker = await startSmallBroker({ withdrawAfterSeconds: 0 });
  const east = await broker.ready('east');
  const jobId = await broker.submit();
  const { runId, placementNumber } = await east.wait('offer');
  east.observe({ runId, placementNumber, nativeId: '1' });
  await broker.reaches(jobId, 'placed');
  const north = await broker.ready('north');
  expect(await east.wait('withdraw')).toEqual({ runId });
  east.observe({ runId, placementNumber, nativeId: '1', ends: [taskEnd({ outcome: 'withdrawn' })] });
  expect(await north.wait('offer')).toMatchObject({ jobId });
  await until('the first run has ended', async () => (await broker.runs(jobId))[0]!.state === 'ended');
});
