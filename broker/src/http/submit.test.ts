import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AppUnderTest, appUnderTest, script } from './testing/app-under-test.ts';

let it: AppUnderTest;
beforeAll(async () => {
  it = await appUnderTest();
});
afterAll(() => it.close());

async function stored(where: string): Promise<number> {
  return (await it.asSuperuser(`SELECT count(*)::int AS n FROM jobs WHERE ${where}`)).rows[0].n;
}

test('a job is answered whole, and found by id and by number', async () => {
  const answer = await it.call('POST', '/v1/jobs', { body: { spec: { script, name: 'first', labels: { a: 'b' } } } });
  expect(answer.statusCode).toBe(201);
  const job = answer.json();
  expect(answer.headers.location).toBe(`/v1/jobs/${job.id}`);
  expect(job).toMatchObject({
    ...{ name: 'first', group: 'default', owner: 'a admin', state: 'queued', taskCount: 1, isArray: false, runs: [] },
    tasks: { queued: '0', counts: { queued: 1, out: 0 } },
  });
  for (const name of [job.id, job.number]) {
    const shown = (await it.call('GET', `/v1/jobs/${name}`)).json();
    const { spec, runs: _, waitReason: __, ...summary } = shown;
    const { runs: ___, waitReason: ____, ...accepted } = job;
    expect(summary).toEqual(accepted);
    expect(spec).toMatchObject({ script, resources: { tasks: 1 } });
  }
});

test('#SBATCH lines give what the specification leaves open', async () => {
  const sbatch = '#!/bin/sh\n#SBATCH --job-name=from-script\n#SBATCH --time=00:05:00\n#SBATCH --array=0-9%2\ntrue\n';
  const { id } = await it.submit({ script: sbatch, name: 'explicit' });
  expect((await it.call('GET', `/v1/jobs/${id}`)).json()).toMatchObject({
    ...{ name: 'explicit', isArray: true, taskCount: 10 },
    spec: { resources: { walltimeSeconds: 300 }, array: { maxRunning: 2 } },
  });
});

test('the same key and body give the same job, also at the same time; another body is a conflict', async () => {
  const headers = { 'idempotency-key': 'once and for all' };
  const body = { spec: { script, name: 'keyed' } };
  const answers = await Promise.all(Array.from({ length: 8 }, () => it.call('POST', '/v1/jobs', { body, headers })));
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(8).fill(201));
  expect(new Set(answers.map((answer) => answer.json().id)).size).toBe(1);
  expect(await stored("name = 'keyed'")).toBe(1);
  const other = await it.call('POST', '/v1/jobs', { body: { spec: { script, name: 'other' } }, headers });
  expect(other.json()).toMatchObject({ status: 409, code: 'idempotency_conflict' });
  const token = await it.token('admin');
  const another = await it.call('POST', '/v1/jobs', { body, headers, token });
  expect(another.statusCode).toBe(201);
  expect(await stored("name = 'keyed'")).toBe(2);
});

test('a batch under a key is stored once', async () => {
  const headers = { 'idempotency-key': 'a batch' };
  const jobs = Array.from({ length: 20 }, (_, at) => ({ script, name: `batch-${at}` }));
  const [one, two] = [
    await it.call('POST', '/v1/jobs/batch', { body: { jobs }, headers }),
    await it.call('POST', '/v1/jobs/batch', { body: { jobs }, headers }),
  ];
  expect(one.statusCode).toBe(201);
  expect(one.json().items).toHaveLength(20);
  expect(two.json()).toEqual(one.json());
  const changed = await it.call('POST', '/v1/jobs/batch', { body: { jobs: jobs.toReversed() }, headers });
  expect(changed.json()).toMatchObject({ status: 409 });
  expect(await stored("name LIKE 'batch-%'")).toBe(20);
});

test('a hundred at once are all acknowledged and all in the database', async () => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, at) =>
      it.call('POST', '/v1/jobs', { body: { spec: { script, name: `many-${at}` } } }),
    ),
  );
  expect(answers.map(({ statusCode }) => statusCode)).toEqual(Array(100).fill(201));
  const { rows } = await it.asSuperuser("SELECT id FROM jobs WHERE name LIKE 'many-%'");
  expect(new Set(rows.map((row) => row.id))).toEqual(new Set(answers.map((answer) => answer.json().id)));
});

test('pages follow one another without gap or repetition, newest first', async () => {
  const numbers: number[] = [];
  let cursor = '';
  do {
    const page = (await it.call('GET', `/v1/jobs?limit=7&name=many-1${cursor}`)).json();
    expect(page.items.length).toBeLessThanOrEqual(7);
    numbers.push(...page.items.map((job: { number: number }) => job.number));
    cursor = page.nextCursor && `&cursor=${page.nextCursor}`;
  } while (cursor);
  const all: number[] = [];
  cursor = '';
  do {
    const page = (await it.call('GET', `/v1/jobs?limit=30${cursor}`)).json();
    all.push(...page.items.map((job: { number: number }) => job.number));
    cursor = page.nextCursor && `&cursor=${page.nextCursor}`;
  } while (cursor);
  expect(all).toEqual([...new Set(all)].sort((a, b) => b - a));
  expect(all).toHaveLength(await stored('true'));
  for (const number of numbers) expect(all).toContain(number);
});

test('a dry run stores nothing', async () => {
  const answer = await it.call('POST', '/v1/jobs?dryRun=true', { body: { spec: { script, name: 'dry' } } });
  expect(answer.statusCode).toBe(200);
  expect(answer.json()).toMatchObject({ placements: [], spec: { name: 'dry' } });
  expect(await stored("name = 'dry'")).toBe(0);
});

test('cancelling a waiting job ends it at once; again it changes nothing', async () => {
  const { number } = await it.submit({ script });
  const first = await it.call('POST', `/v1/jobs/${number}/cancel`);
  expect(first.statusCode).toBe(202);
  expect(first.json()).toMatchObject({ state: 'cancelled', reason: 'cancelled_by_user' });
  const second = await it.call('POST', `/v1/jobs/${number}/cancel`, { body: {} });
  expect(second.statusCode).toBe(200);
});
