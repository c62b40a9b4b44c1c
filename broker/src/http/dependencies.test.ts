import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AppUnderTest, appUnderTest, script } from './testing/app-under-test.ts';

let it: AppUnderTest;
let bio: string;
let foreign: { id: string; number: number };
let own: { id: string; number: number };
beforeAll(async () => {
  it = await appUnderTest();
  bio = await it.token('member', ['bio']);
  foreign = await it.submit({ script, group: 'physics' });
  own = await it.submit({ script, group: 'bio' });
});
afterAll(() => it.close());

const dependingOn = (...jobs: (string | number)[]) => ({
  ...{ script, group: 'bio' },
  dependsOn: jobs.map((job) => ({ job })),
});
const submit = (...jobs: (string | number)[]) =>
  it.call('POST', '/v1/jobs', { body: { spec: dependingOn(...jobs) }, token: bio });

test('a job may depend on those that its submitter sees, by number or id', async () => {
  expect((await submit(own.number, own.id.toUpperCase())).statusCode).toBe(201);
});

test('one that does not exist is refused by name', async () => {
  const answer = (await submit(own.number, 999_999)).json();
  expect(answer).toMatchObject({ status: 422, code: 'invalid_spec' });
  expect(answer.detail).toContain('999999');
  expect(answer.details.problems).toEqual([
    expect.objectContaining({ path: '/dependsOn/1/job', message: expect.stringContaining('999999') }),
  ]);
});

test('one of another group gets the same answer as one that is not there', async () => {
  const absent = { id: '01890000-0000-7000-8000-000000000000', number: 888_888 };
  for (const key of ['id', 'number'] as const) {
    const [hidden, missing] = [await submit(foreign[key]), await submit(absent[key])];
    const shape = (body: string, job: string | number) =>
      body.replaceAll(String(job), 'JOB').replace(/"requestId":"[^"]+"/, '');
    expect(hidden.statusCode).toBe(422);
    expect(shape(hidden.body, foreign[key])).toBe(shape(missing.body, absent[key]));
  }
});

test('a batch names the job by its index, a dry run says the same', async () => {
  const jobs = [dependingOn(), dependingOn(foreign.number)];
  const batch = (await it.call('POST', '/v1/jobs/batch', { body: { jobs }, token: bio })).json();
  expect(batch).toMatchObject({ status: 422, details: { problems: [{ index: 1, path: '/dependsOn/0/job' }] } });
  const body = { spec: dependingOn(foreign.number) };
  expect((await it.call('POST', '/v1/jobs?dryRun=true', { body, token: bio })).statusCode).toBe(422);
});
