import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadSnapshot } from '../db/load-snapshot.ts';
import { type AppUnderTest, appUnderTest, script } from './testing/app-under-test.ts';

let it: AppUnderTest;
beforeAll(async () => {
  it = await appUnderTest();
});
afterAll(() => it.close());

const release = (id: string | number, token?: string) =>
  it.call('POST', `/v1/jobs/${id}/release`, token === undefined ? {} : { token });
const inQueue = async (id: string) => (await loadSnapshot(it.db, { maxJobs: 100 })).jobs.some((job) => job.id === id);

test('a held job waits until it is released, once', async () => {
  const { id, number } = await it.submit({ script, held: true });
  expect((await it.call('GET', `/v1/jobs/${id}`)).json()).toMatchObject({
    ...{ state: 'held', waitReason: expect.stringContaining('released') },
  });
  expect(await inQueue(id)).toBe(false);
  expect(await release(number)).toMatchObject({ statusCode: 200 });
  expect(await inQueue(id)).toBe(true);
  expect((await release(id)).json()).toMatchObject({ id, state: 'queued' });
  const { items } = (await it.call('GET', `/v1/jobs/${id}/events`)).json();
  expect(items.map(({ kind }: { kind: string }) => kind)).toEqual(['submitted', 'released']);
  const audited = await it.asSuperuser(`SELECT action FROM audit WHERE subject = '${id}'`);
  expect(audited.rows).toEqual([{ action: 'job.release' }]);
});

test('what has ended stays as it is', async () => {
  const { id } = await it.submit({ script, held: true });
  await it.call('POST', `/v1/jobs/${id}/cancel`);
  expect((await release(id)).json()).toMatchObject({ state: 'cancelled' });
});

test('only who may submit to its group may release it', async () => {
  const { id } = await it.submit({ script, held: true, group: 'physics' });
  expect((await release(id, await it.token('member', ['bio']))).statusCode).toBe(404);
  expect((await release(id, await it.token('viewer'))).statusCode).toBe(403);
  expect(await inQueue(id)).toBe(false);
  expect((await release(id, await it.token('member', ['physics']))).json()).toMatchObject({ state: 'queued' });
});
