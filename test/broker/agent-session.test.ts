import { createHash } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { taskEnd } from '../support/fake-agent.ts';
import { type SmallBroker, startSmallBroker } from '../support/small-broker.ts';
import { until } from '../support/until.ts';

let broker: SmallBroker;
beforeEach(async () => {
  broker = await startSmallBroker();
});
afterEach(() => broker.close());

test('a job is offered, placed, run and forgotten', async () => {
  const north = await broker.ready('north', { automatic: true });
  const jobId = await broker.submit({ name: 'first', command: ['echo', 'ü'] });
  const offer = await north.wait('offer');
  expect(offer).toMatchObject({ jobId, attempt: 1, tasks: '0', observedBefore: false, owner: 'ada' });
  expect(createHash('sha256').update(offer.specJson).digest('hex')).toBe(offer.specHash);
  expect(JSON.parse(offer.specJson)).toMatchObject({ name: 'first', command: ['echo', 'ü'] });
  expect(await broker.reaches(jobId, 'succeeded')).toMatchObject({ queued: '{}', succeeded: '{[0,1)}' });
  expect(await north.wait('forget')).toEqual({ runIds: [offer.runId] });
  await until('the run is forgotten', async () => {
    const { rows } = await broker.db.system.query('SELECT forgotten_at FROM runs');
    return rows[0].forgotten_at !== null;
  });
});

test('states move one by one, and each observation is acknowledged', async () => {
  const north = await broker.ready('north');
  const jobId = await broker.submit();
  const { runId, placementNumber } = await north.wait('offer');
  await broker.reaches(jobId, 'placing');
  const known = { runId, placementNumber, nativeId: '77' };
  const first = north.observe({ ...known, nativeState: 'PENDING', nativeReason: 'Priority' });
  await north.wait('ack', (ack) => ack.counter === first);
  await broker.reaches(jobId, 'placed');
  north.observe({ ...known, nativeState: 'RUNNING', started: '0' });
  await broker.reaches(jobId, 'running');
  north.observe({ ...known, started: '0', ends: [taskEnd({ outcome: 'failed', reason: 'exit_code', exitCode: 3 })] });
  expect(await broker.reaches(jobId, 'failed')).toMatchObject({ reason: 'exit_code', exit_code: 3 });
});

test('a lost acknowledgement: the observation comes again and counts once', async () => {
  const north = await broker.ready('north');
  const jobId = await broker.submit();
  const { runId, placementNumber } = await north.wait('offer');
  const end = { runId, placementNumber, nativeId: '1', started: '0', ends: [taskEnd({})] };
  for (let times = 1; times <= 3; times += 1) {
    const counter = north.observe(end);
    await north.wait('ack', (ack) => ack.counter === counter);
  }
  await broker.reaches(jobId, 'succeeded');
  const { rows } = await broker.db.system.query("SELECT count(*) FROM events WHERE job_id = $1 AND kind = 'ended'", [
    jobId,
  ]);
  expect(Number(rows[0].count)).toBe(1);
});

test('an offer is repeated until the run is observed', async () => {
  const north = await broker.ready('north');
  await broker.submit();
  const { runId, placementNumber } = await north.wait('offer');
  await north.wait('offer', (offer) => offer.runId === runId, 2);
  const counter = north.observe({ runId, placementNumber, nativeId: '1' });
  await north.wait('ack', (ack) => ack.counter === counter);
  const offers = () => north.received.filter((message) => message.$case === 'offer').length;
  const before = offers();
  const other = await broker.submit();
  await north.wait('offer', (offer) => offer.jobId === other, 2);
  expect(offers()).toBe(before + 2);
});

test('the newest session wins; the older one is closed and changes nothing', async () => {
  const older = await broker.ready('north');
  const newer = await broker.ready('north');
  const { code, details } = await older.ended;
  expect([code, details]).toEqual([status.FAILED_PRECONDITION, 'a newer session has replaced this one']);
  const jobId = await broker.submit();
  await newer.wait('offer', (offer) => offer.jobId === jobId);
  expect(older.received.some((message) => message.$case === 'offer')).toBe(false);
});

test('a session whose epoch was passed elsewhere is closed at its next word', async () => {
  const north = await broker.ready('north');
  await broker.db.system.query('UPDATE clusters SET session_epoch = session_epoch + 1');
  north.observe({ runId: crypto.randomUUID(), placementNumber: 1 });
  expect(await north.ended).toMatchObject({ code: status.FAILED_PRECONDITION });
  expect(north.received.some((message) => message.$case === 'ack')).toBe(false);
});

test.each([
  ['no token', { token: '' }, status.UNAUTHENTICATED],
  ['a token nobody gave', { token: 'yc_wrong' }, status.UNAUTHENTICATED],
  ['the token of another cluster', { cluster: 'south' }, status.PERMISSION_DENIED],
  ['another protocol', { hello: { protocolVersion: 9 } }, status.FAILED_PRECONDITION],
  ['a kind nobody knows', { hello: { kind: 'pbs' } }, status.FAILED_PRECONDITION],
])('%s is refused with a sentence', async (_, options, code) => {
  await broker.addCluster('north');
  await broker.addCluster('south');
  const agent = broker.connect('north', options);
  const ended = await agent.ended;
  expect(ended.code).toBe(code);
  expect(ended.details).not.toBe('');
});

test('a second agent for the same cluster under another name is refused', async () => {
  await broker.ready('north');
  await broker.addCluster('south');
  const twin = broker.connect('south', { hello: { fingerprint: 'slurm:north@fake' } });
  expect(await twin.ended).toMatchObject({ code: status.FAILED_PRECONDITION });
});

test('words that nobody knows cost only themselves', async () => {
  const north = await broker.ready('north');
  const jobId = await broker.submit();
  const { runId, placementNumber } = await north.wait('offer');
  const known = { runId, placementNumber, nativeId: '1', nativeState: 'WARPED\0' };
  const first = north.observe(
    { runId: 'nonsense' },
    { ...known, started: '0', ends: [taskEnd({ outcome: 'finished' })] },
    { runId: crypto.randomUUID(), placementNumber: 4 },
  );
  await north.wait('ack', (ack) => ack.counter === first);
  await broker.reaches(jobId, 'running');
  north.observe({ ...known, started: '0', ends: [taskEnd({ outcome: 'failed', reason: 'gremlins' })] });
  expect(await broker.reaches(jobId, 'failed')).toMatchObject({ reason: 'unknown_end' });
});

test('a refusal sends the job elsewhere', async () => {
  const agents = [await broker.ready('east'), await broker.ready('north')];
  const jobId = await broker.submit();
  const first = await Promise.race(agents.map((agent) => agent.wait('offer').then((offer) => ({ agent, offer }))));
  const { runId, placementNumber } = first.offer;
  const refused = taskEnd({ outcome: 'refused', reason: 'rejected', detail: 'disk full' });
  first.agent.observe({ runId, placementNumber, placed: false, ends: [refused] });
  const other = agents.find((agent) => agent !== first.agent)!;
  expect(await other.wait('offer')).toMatchObject({ jobId, attempt: 1 });
});

test('a lost database connection ends every session, and the agents come back', async () => {
  const north = await broker.ready('north');
  await broker.asSuperuser(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE 'LISTEN%'",
  );
  expect(await north.ended).toMatchObject({ code: status.UNAVAILABLE });
  const early = broker.connect('north');
  expect(await early.ended).toMatchObject({ code: status.UNAVAILABLE });
  await until('the database is back', () => broker.db.connectedSinceMs() !== null);
  const jobId = await broker.submit();
  await broker.ready('north', { automatic: true });
  await broker.reaches(jobId, 'succeeded');
});

test('output is read through the session of the cluster', async () => {
  const { createLogRead, takeLogChunk } = await import('@switchyard/broker/db/log-reads.ts');
  const north = await broker.ready('north');
  const id = crypto.randomUUID();
  await createLogRead(broker.db, {
    ...{ id, cluster: 'north', runId: crypto.randomUUID(), task: 0, rank: 3, stream: 'stdout', offset: 5 },
    ...{ limitBytes: 100, waitMs: 0, wantedForMs: 10_000 },
  });
  expect(await north.wait('logRead')).toMatchObject({ readId: id, rank: 3, offset: 5, limitBytes: 100 });
  north.send({
    $case: 'logChunk',
    value: { readId: id, offset: 5, data: Buffer.from('hello'), end: true, problem: '' },
  });
  const chunk = await until('the chunk is there', () => takeLogChunk(broker.db, id));
  expect(chunk).toMatchObject({ offset: 5, data: Buffer.from('hello'), end: true });
});

test('a copy of a run that has ended is cancelled, a native job nobody knows is only shown', async () => {
  const north = await broker.ready('north', { automatic: true });
  const jobId = await broker.submit();
  const { runId } = await north.wait('offer');
  await broker.reaches(jobId, 'succeeded');
  const stray = { nativeState: 'PENDING', nativeSubmittedAtMs: 0 };
  north.send({
    $case: 'strays',
    value: {
      strays: [
        { ...stray, nativeId: '8', runId: crypto.randomUUID() },
        { ...stray, nativeId: '9', runId },
      ],
    },
  });
  expect(await north.wait('cancelStray')).toEqual({ nativeId: '9', runId });
  const { rows } = await broker.db.system.query('SELECT native_id, verdict FROM strays ORDER BY native_id');
  expect(rows).toEqual([
    { native_id: '8', verdict: 'show' },
    { native_id: '9', verdict: 'cancel' },
  ]);
});

test('an observation that cannot be stored holds up no other', async () => {
  const north = await broker.ready('north');
  const jobs = await Promise.all(Array.from({ length: 5 }, () => broker.submit()));
  const offers = await Promise.all(jobs.map((jobId) => north.wait('offer', (offer) => offer.jobId === jobId)));
  await broker.asSuperuser(`
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'out of luck'; END $$;
    CREATE TRIGGER fail BEFORE UPDATE ON runs FOR EACH ROW WHEN (NEW.native_state = 'UNLUCKY') EXECUTE FUNCTION fail()`);
  const counter = north.observe(
    ...offers.map(({ runId, placementNumber }, at) => ({
      runId,
      placementNumber,
      nativeId: String(at),
      nativeState: at === 3 ? 'UNLUCKY' : 'PENDING',
    })),
  );
  await north.wait('ack', (ack) => ack.counter === counter);
  const states = await Promise.all(jobs.map(async (jobId) => (await broker.job(jobId)).state));
  expect(states).toEqual(['placed', 'placed', 'placed', 'placing', 'placed']);
});
