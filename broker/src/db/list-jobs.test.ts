import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { acceptJobs } from './accept-jobs.ts';
import { getJob } from './get-job.ts';
import { jobEvents } from './job-events.ts';
import { listJobs } from './list-jobs.ts';
import { jobToAccept } from './testing/job-to-accept.ts';

let fresh: FreshDatabase;
const all = { seeAll: true, groups: [] };

beforeAll(async () => {
  fresh = await freshDatabase();
  const groups = ['physics', 'physics/astro', 'physicsx', 'biology'];
  await acceptJobs(
    fresh.db,
    Array.from({ length: 200 }, (_, index) =>
      jobToAccept({
        name: `job-${index}`,
        group: groups[index % 4]!,
        labels: index % 10 === 0 ? { campaign: 'spring' } : {},
        ...(index === 5 && { array: { tasks: '0-9:3,20' } }),
      }),
    ),
  );
});
afterAll(() => fresh.close());

test.each([
  ['everything', all, {}],
  ['two groups', { seeAll: false, groups: ['physics', 'biology'] }, {}],
])('pages of %s join without gap or repeat', async (_, viewer, filter) => {
  const whole = await listJobs(fresh.db, viewer, { limit: 1000, ...filter });
  const numbers: number[] = [];
  for (;;) {
    const last = numbers.at(-1);
    const page = await listJobs(fresh.db, viewer, { limit: 17, ...filter, ...(last && { beforeNumber: last }) });
    numbers.push(...page.map((job) => job.number));
    if (page.length < 17) break;
  }
  expect(numbers).toEqual(whole.map((job) => job.number));
  expect(numbers).toEqual([...numbers].sort((left, right) => right - left));
  expect(new Set(numbers).size).toBe(numbers.length);
});

test('filters', async () => {
  const names = async (filter: object) =>
    (await listJobs(fresh.db, all, { limit: 1000, ...filter })).map((job) => job.name);
  expect(await names({ group: 'physics' })).toHaveLength(100);
  expect(await names({ group: 'nothing' })).toHaveLength(0);
  expect(await names({ labels: { campaign: 'spring' } })).toHaveLength(20);
  expect(await names({ name: 'job-7' })).toEqual(['job-7']);
  expect(await names({ states: ['running'] })).toEqual([]);
  expect(await names({ states: ['queued'], owner: 'ada', group: 'biology' })).toHaveLength(50);
  expect(await names({ cluster: 'north' })).toEqual([]);
});

test('a person sees the groups named and those below, in lists, by number, by id and in events', async () => {
  const viewer = { seeAll: false, groups: ['physics'] };
  const seen = await listJobs(fresh.db, viewer, { limit: 1000 });
  expect(new Set(seen.map((job) => job.group))).toEqual(new Set(['physics', 'physics/astro']));
  const foreign = (await listJobs(fresh.db, all, { limit: 1, group: 'biology' }))[0]!;
  for (const key of [String(foreign.number), foreign.id]) {
    expect(await getJob(fresh.db, viewer, key)).toBeNull();
    expect(await getJob(fresh.db, all, key)).toMatchObject({ id: foreign.id, runs: [] });
  }
  const query = { jobId: foreign.id, afterSequence: 0, limit: 10 };
  expect(await jobEvents(fresh.db, viewer, query)).toEqual([]);
  expect(await jobEvents(fresh.db, all, query)).toMatchObject([{ sequence: 1, kind: 'submitted' }]);
  expect(await listJobs(fresh.db, { seeAll: false, groups: [] }, { limit: 10 })).toEqual([]);
});

test('the wall is the database’s: forgotten conditions, other settings and other tables do not open it', async () => {
  const { principal } = fresh.db;
  expect((await principal.query('SELECT count(*)::int AS n FROM jobs')).rows).toEqual([{ n: 0 }]);
  expect(
    (await principal.query('SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname IN (current_user, session_user)'))
      .rows,
  ).toEqual(expect.arrayContaining([{ rolsuper: false, rolbypassrls: false }]));
  for (const forbidden of [
    'SELECT token_hash FROM clusters',
    'SELECT * FROM tokens',
    'SELECT * FROM idempotency_keys',
    'SELECT * FROM audit',
    "UPDATE jobs SET state = 'queued'",
    'SELECT * FROM log_chunks',
    'SELECT * FROM events_default',
  ])
    await expect(principal.query(forbidden)).rejects.toMatchObject({ code: '42501' });
});

test('neither a number nor an id finds nothing', async () => {
  for (const key of ['', 'x', '-1', '1.5', '99999999999999999999', "1'; --"])
    expect(await getJob(fresh.db, all, key)).toBeNull();
});

test('an array shows its tasks', async () => {
  const [job] = await listJobs(fresh.db, all, { limit: 1, name: 'job-5' });
  expect(job).toMatchObject({
    isArray: true,
    taskCount: 5,
    tasks: { queued: '0-9:3,20', out: '', counts: { queued: 5, out: 0, running: 0 } },
  });
});
