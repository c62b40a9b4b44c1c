import { afterEach, expect, test } from 'vitest';
import { type SmallBroker, startSmallBroker } from '../support/small-broker.ts';
import { until } from '../support/until.ts';

let broker: SmallBroker;
afterEach(() => broker.close());

test('only one of two schedulers places, and the other takes over when it stops', async () => {
  broker = await startSmallBroker();
  await until('the first leads', () => broker.scheduler.status().leader);
  const second = broker.addScheduler('two', { leaseRenewMs: 50 });
  await broker.ready('north', { automatic: true });
  const jobs = await Promise.all(Array.from({ length: 20 }, () => broker.submit()));
  for (const jobId of jobs) await broker.reaches(jobId, 'succeeded');
  for (const jobId of jobs) expect(await broker.runs(jobId)).toHaveLength(1);
  expect(second.status().leader).toBe(false);
  const before = broker.scheduler.status().epoch!;
  await broker.scheduler.stop();
  await until('the second leads', () => second.status().leader);
  expect(second.status().epoch).toBeGreaterThan(before);
  await broker.reaches(await broker.submit(), 'succeeded');
});

test('a leader that was passed by stores nothing and steps back', async () => {
  broker = await startSmallBroker({ leaseRenewMs: 600_000, leaseTtlMs: 600_000 });
  await until('it leads', () => broker.scheduler.status().leader);
  const north = await broker.ready('north');
  await broker.db.system.query("UPDATE leader_lease SET epoch = epoch + 1, holder = 'somebody else'");
  const jobId = await broker.submit();
  await until('it has stepped back', () => !broker.scheduler.status().leader);
  expect(await broker.runs(jobId)).toEqual([]);
  expect(north.received.some((message) => message.$case === 'offer')).toBe(false);
});

test('why a job waits is known to the leader', async () => {
  broker = await startSmallBroker();
  await broker.ready('north');
  const jobId = await broker.submit({ resources: { cpusPerTask: 9999 } });
  const wait = await until('a reason', () => broker.scheduler.status().waits.get(jobId));
  expect(wait.kind).toBe('no_cluster_ever');
  expect(wait.sentence).toContain('north');
});

test('a job whose time has passed is ended', async () => {
  broker = await startSmallBroker();
  const jobId = await broker.submit({ startDeadline: '2020-01-01T00:00:00Z' });
  expect(await broker.reaches(jobId, 'failed')).toMatchObject({ reason: 'deadline' });
});
