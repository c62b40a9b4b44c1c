import { randomUUID, randomUUIDv7 } from 'node:crypto';
import { purgeLogTails, readLogTail } from '@switchyard/broker/db/log-tails.ts';
import { createToken, type Role } from '@switchyard/broker/db/tokens.ts';
import { buildApp } from '@switchyard/broker/http/app.ts';
import { newToken, tokenHash } from '@switchyard/broker/token.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import type { LogTail } from '@switchyard/proto/switchyard/v1/agent.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FakeAgent, taskEnd } from '../support/fake-agent.ts';
import { type SmallBroker, startSmallBroker } from '../support/small-broker.ts';
import { until } from '../support/until.ts';

let broker: SmallBroker;
let app: Awaited<ReturnType<typeof buildApp>>;
let admin: string;
beforeEach(async () => {
  broker = await startSmallBroker();
  app = await buildApp({
    ...{ db: broker.db, version: '0.0.0' },
    placement: { policy: 'least-loaded', staleAfterMs: 30_000 },
  });
  admin = await token('admin');
});
afterEach(async () => {
  await app.close();
  await broker.close();
});

async function token(role: Role, groups: readonly string[] = []): Promise<string> {
  const secret = newToken('yt_');
  const hash = tokenHash(secret);
  await createToken(broker.db, { id: randomUUIDv7(), name: role, role, groups, hash, actor: 'test' });
  return secret;
}

const logs = (job: string, query = '', as = admin) =>
  app.inject({ method: 'GET', url: `/v1/jobs/${job}/logs${query}`, headers: { authorization: `Bearer ${as}` } });

async function followed(job: string, query = ''): Promise<{ offset: number; data?: string; tail?: boolean }[]> {
  const { body } = await logs(job, `?follow=true${query}`);
  return [...body.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json!));
}

const tail = (runId: string, text: string, more: Partial<LogTail> = {}): LogTail => ({
  ...{ runId, task: 0, rank: 0, offset: 0, data: Buffer.from(text), last: true },
  ...more,
});

/** A job that has ended on this cluster, and whose agent is asked to forget it. */
async function endedRun(north: FakeAgent, input: Partial<JobSpecInput> = {}) {
  const jobId = await broker.submit(input);
  const { runId, placementNumber, tasks } = await north.wait('offer', (offer) => offer.jobId === jobId);
  north.observe({ runId, placementNumber, nativeId: '1', started: tasks, ends: [taskEnd({ tasks })] });
  await north.wait('forget', ({ runIds }) => runIds.includes(runId));
  return { jobId, runId };
}

async function forgotten(north: FakeAgent, runId: string): Promise<void> {
  north.send({ $case: 'forgotten', value: { runIds: [runId] } });
  await until('the run is forgotten', async () => {
    const { rows } = await broker.db.system.query('SELECT forgotten_at FROM runs WHERE id = $1', [runId]);
    return rows[0].forgotten_at !== null;
  });
}

const stored = (north: FakeAgent, runId: string) =>
  north.wait('logTailsStored', ({ runIds }) => runIds.includes(runId));

test('output is read after the run has gone away, also followed', async () => {
  const north = await broker.ready('north');
  const { jobId, runId } = await endedRun(north);
  north.send({ $case: 'logTail', value: tail(runId, 'the end\n') });
  await stored(north, runId);
  await forgotten(north, runId);
  const answer = await logs(jobId);
  expect(answer.body).toBe('the end\n');
  expect(answer.headers).toMatchObject({
    ...{ 'switchyard-offset': '0', 'switchyard-next-offset': '8', 'switchyard-end': 'true', 'switchyard-tail': 'true' },
  });
  expect((await logs(jobId, '?offset=4&limit=2')).body).toBe('en');
  expect((await logs(jobId, '?offset=99')).headers).toMatchObject({ 'switchyard-end': 'true', 'content-length': '0' });
  const [piece, end] = await followed(jobId);
  expect(piece).toEqual({ offset: 0, data: Buffer.from('the end\n').toString('base64'), tail: true });
  expect(end).toEqual({ offset: 8 });
  expect((await logs(jobId, '?stream=stderr')).headers).toMatchObject({
    'switchyard-end': 'true',
    'content-length': '0',
  });
  // The agent was not asked: it knows nothing any more.
  expect(north.received.some(({ $case }) => $case === 'logRead')).toBe(false);
});

test('a tail that begins later says so', async () => {
  const north = await broker.ready('north');
  const { jobId, runId } = await endedRun(north);
  north.send({ $case: 'logTail', value: tail(runId, '0123456789', { offset: 1000 }) });
  await stored(north, runId);
  await forgotten(north, runId);
  expect((await logs(jobId)).headers).toMatchObject({ 'switchyard-offset': '1000', 'switchyard-next-offset': '1010' });
  expect((await logs(jobId, '?offset=1004')).body).toBe('456789');
  expect((await followed(jobId, '&offset=500'))[0]).toMatchObject({ offset: 1000, tail: true });
});

test('tasks of an array and nodes of a job have tails of their own', async () => {
  const north = await broker.ready('north');
  const array = await endedRun(north, { array: { tasks: '0-2' } });
  const gang = await endedRun(north, { resources: { nodes: 2 } });
  for (const task of [0, 1, 2])
    north.send({ $case: 'logTail', value: tail(array.runId, `task ${task}`, { task, last: task === 2 }) });
  for (const rank of [0, 1])
    north.send({ $case: 'logTail', value: tail(gang.runId, `rank ${rank}`, { rank, last: rank === 1 }) });
  for (const { runId } of [array, gang]) {
    await stored(north, runId);
    await forgotten(north, runId);
  }
  expect((await logs(array.jobId, '?task=1')).body).toBe('task 1');
  expect((await logs(gang.jobId, '?rank=1')).body).toBe('rank 1');
  expect((await logs(gang.jobId)).body).toBe('rank 0');
  expect((await logs(gang.jobId, '?rank=2')).json()).toMatchObject({
    ...{ status: 400, code: 'invalid_request', detail: expect.stringContaining('ranks 0 to 1') },
  });
});

test('while the agent holds the run it is asked; what it cannot say any more comes from the tail', async () => {
  const north = await broker.ready('north');
  const { jobId, runId } = await endedRun(north);
  north.send({ $case: 'logTail', value: tail(runId, 'end', { offset: 4 }) });
  await stored(north, runId);
  const whole = logs(jobId);
  const { readId } = await north.wait('logRead');
  north.send({ $case: 'logChunk', value: { readId, offset: 0, data: Buffer.from('all end'), end: true, problem: '' } });
  expect((await whole).body).toBe('all end');
  const after = logs(jobId);
  const second = await north.wait('logRead', undefined, 2);
  const problem = 'this cluster knows no such run';
  north.send({ $case: 'logChunk', value: { ...second, data: Buffer.alloc(0), end: true, problem } });
  const answer = await after;
  expect([answer.body, answer.headers['switchyard-offset']]).toEqual(['end', '4']);
});

test('who may not see the job sees nothing of its output', async () => {
  const north = await broker.ready('north');
  const { jobId, runId } = await endedRun(north);
  north.send({ $case: 'logTail', value: tail(runId, 'secret') });
  await stored(north, runId);
  await forgotten(north, runId);
  expect((await logs(jobId, '', await token('member', ['elsewhere']))).statusCode).toBe(404);
  const what = { runId, task: 0, rank: 0 };
  expect(await readLogTail(broker.db, { seeAll: false, groups: ['elsewhere'] }, what)).toBeNull();
  expect(await readLogTail(broker.db, { seeAll: false, groups: ['default'] }, what)).toMatchObject({ offset: 0 });
});

test('only ended runs of the cluster itself are kept, the newest session alone writes', async () => {
  const [north, south] = [await broker.ready('north'), await broker.ready('south')];
  const jobId = await broker.submit();
  const offer = await Promise.race([north.wait('offer'), south.wait('offer')]);
  const [mine, other] = north.received.some(({ $case }) => $case === 'offer') ? [north, south] : [south, north];
  const { runId, placementNumber } = offer;
  mine.send({ $case: 'logTail', value: tail(runId, 'not ended') });
  other.send({ $case: 'logTail', value: tail(runId, 'foreign') });
  other.send({ $case: 'logTail', value: tail('no id', 'nonsense') });
  other.send({ $case: 'logTail', value: tail(randomUUID(), 'unknown') });
  mine.observe({ runId, placementNumber, nativeId: '1', started: '0', ends: [taskEnd({})] });
  await mine.wait('forget');
  other.send({ $case: 'logTail', value: tail(runId, 'foreign') });
  mine.send({ $case: 'logTail', value: tail(runId, 'mine') });
  await stored(mine, runId);
  // Its session still lives after all that nonsense, and its messages are handled in order.
  const counter = other.observe();
  await other.wait('ack', (ack) => ack.counter === counter);
  expect(other.received.some(({ $case }) => $case === 'logTailsStored')).toBe(false);
  await forgotten(mine, runId);
  expect((await logs(jobId)).body).toBe('mine');
});

test('what is kept is bounded, repeated without harm, and removed with age', async () => {
  const north = await broker.ready('north');
  const { runId } = await endedRun(north, { array: { tasks: '0-99' } });
  const data = Buffer.alloc(70_000, 'x');
  for (let times = 1; times <= 2; times += 1) {
    for (let task = 0; task < 100; task += 1)
      north.send({ $case: 'logTail', value: tail(runId, '', { task, data, last: task === 99 }) });
    await north.wait('logTailsStored', undefined, times);
  }
  const kept = async () =>
    (
      await broker.db.system.query(
        'SELECT count(*)::int AS n, min(byte_offset)::int AS offset, sum(octet_length(data))::int AS bytes FROM log_tails',
      )
    ).rows[0];
  expect(await kept()).toEqual({ n: 31, offset: 70_000 - 65_536, bytes: 31 * 65_536 });
  await purgeLogTails(broker.db);
  expect(await kept()).toMatchObject({ n: 31 });
  await broker.asSuperuser("UPDATE log_tails SET stored_at = now() - interval '31 days'");
  await purgeLogTails(broker.db);
  expect(await kept()).toMatchObject({ n: 0 });
});
