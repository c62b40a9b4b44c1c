import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { acceptJobs } from './accept-jobs.ts';
import { jobToAccept } from './testing/job-to-accept.ts';

let fresh: FreshDatabase;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.close());

const keyed = (key: string, bodyHash = 'same') => jobToAccept({}, { idempotencyKey: key, bodyHash });
const countJobs = async () => (await fresh.db.system.query('SELECT count(*)::int AS n FROM jobs')).rows[0].n as number;

test('numbers follow the order of the batch, and each job begins with its event', async () => {
  const batch = Array.from({ length: 50 }, (_, index) => jobToAccept({ name: `job-${index}` }));
  const answers = await acceptJobs(fresh.db, batch);
  const numbers = answers.map((answer) => (answer.kind === 'accepted' ? answer.number : 0));
  expect(numbers).toEqual(Array.from({ length: 50 }, (_, index) => numbers[0]! + index));
  const { rows } = await fresh.db.system.query(
    `SELECT j.name, j.state, j.event_count, e.sequence, e.kind, j.queued::text
     FROM jobs j JOIN events e ON e.job_id = j.id WHERE j.id = $1`,
    [batch[7]!.id],
  );
  expect(rows).toEqual([
    { name: 'job-7', state: 'queued', event_count: 1, sequence: 1, kind: 'submitted', queued: '{[0,1)}' },
  ]);
});

test('one key is one job, however many ask at once, in whatever batches', async () => {
  const before = await countJobs();
  const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`);
  const batches = Array.from({ length: 12 }, (_, at) => (at % 2 ? keys : [...keys].reverse()).map((key) => keyed(key)));
  const answers = (await Promise.all(batches.map((batch) => acceptJobs(fresh.db, batch)))).flat();
  const jobs = batches.flat();
  const numbersByKey = new Map<string, Set<number>>();
  answers.forEach((answer, at) => {
    if (answer.kind === 'conflict') throw new Error('no conflict was expected');
    const key = jobs[at]!.idempotencyKey!;
    numbersByKey.set(key, (numbersByKey.get(key) ?? new Set()).add(answer.number));
  });
  expect(await countJobs()).toBe(before + keys.length);
  expect(answers.filter((answer) => answer.kind === 'accepted')).toHaveLength(keys.length);
  expect([...numbersByKey.values()].every((numbers) => numbers.size === 1)).toBe(true);
});

test('a key that comes twice in one batch is one job', async () => {
  const answers = await acceptJobs(fresh.db, [keyed('twice'), keyed('twice'), jobToAccept()]);
  expect(answers.map((answer) => answer.kind)).toEqual(['accepted', 'replayed', 'accepted']);
});

test('a key with another body conflicts, and the same key of somebody else does not', async () => {
  await acceptJobs(fresh.db, [keyed('body')]);
  const other = jobToAccept({}, { idempotencyKey: 'body', bodyHash: 'same', principal: 'other' });
  const answers = await acceptJobs(fresh.db, [keyed('body', 'different'), other]);
  expect(answers.map((answer) => answer.kind)).toEqual(['conflict', 'accepted']);
});

test('what PostgreSQL cannot store is the caller’s error, stores nothing and quotes nothing', async () => {
  const before = await countJobs();
  const bad = jobToAccept({}, { specJson: JSON.stringify({ secret: 'nul \0 byte' }) });
  const failure = await acceptJobs(fresh.db, [jobToAccept(), bad]).catch((error) => error);
  expect(failure).toMatchObject({ name: 'SwitchyardError', code: 'invalid_request' });
  expect(`${failure.message} ${failure.cause?.message}`).not.toContain('nul');
  expect(await countJobs()).toBe(before);
});
