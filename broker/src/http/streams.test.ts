import { afterAll, beforeAll, expect, test } from 'vitest';
import { requestCancel } from '../db/request-cancel.ts';
import { type AppUnderTest, appUnderTest, script } from './testing/app-under-test.ts';

let it: AppUnderTest;
let url: string;
beforeAll(async () => {
  it = await appUnderTest({ maxStreams: 3 });
  url = await it.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => it.close());

function open(path: string, headers: Record<string, string> = {}) {
  const leave = new AbortController();
  const response = fetch(`${url}${path}`, {
    headers: { authorization: `Bearer ${it.admin}`, ...headers },
    signal: leave.signal,
  });
  return { response, leave: () => leave.abort() };
}

/** Everything until the broker ends the stream. */
async function events(path: string, headers: Record<string, string> = {}): Promise<{ id: number; kind: string }[]> {
  const text = await (await open(path, headers).response).text();
  return text.split('\n\n').flatMap((frame) => {
    const data = /^data: (.*)$/m.exec(frame)?.[1];
    return data === undefined ? [] : [{ id: Number(/^id: (\d+)$/m.exec(frame)?.[1]), kind: JSON.parse(data).kind }];
  });
}

test('a stream of events goes on until the job has ended', async () => {
  const { id } = await it.submit({ script });
  const following = events(`/v1/jobs/${id}/events?follow=true`);
  await requestCancel(it.db, { jobId: id, reason: 'cancelled_by_user', actor: 'test' });
  const seen = await following;
  expect(seen[0]).toEqual({ id: 1, kind: 'submitted' });
  expect(seen.at(-1)?.kind).toBe('ended');
  expect(seen.map((event) => event.id)).toEqual(seen.map((_, at) => at + 1));

  const later = await events(`/v1/jobs/${id}/events`, { accept: 'text/event-stream', 'last-event-id': '1' });
  expect(later).toEqual(seen.slice(1));
  const none = await events(`/v1/jobs/${id}/events?follow=true`, { 'last-event-id': String(seen.length) });
  expect(none).toEqual([]);
  const page = (await it.call('GET', `/v1/jobs/${id}/events?limit=1`)).json();
  expect(page).toMatchObject({ items: [{ kind: 'submitted', sequence: 1, jobId: id }], nextCursor: '1' });
  const rest = (await it.call('GET', `/v1/jobs/${id}/events?cursor=1`)).json();
  expect(rest.items.map((event: { sequence: number }) => event.sequence)).toEqual(later.map((event) => event.id));
});

test('streams are bounded, and one that its reader has left is free again', async () => {
  const { id } = await it.submit({ script });
  const path = `/v1/jobs/${id}/events?follow=true`;
  const readers = [open(path), open(path), open(path)];
  for (const { response } of readers)
    expect((await response).headers.get('content-type')).toContain('text/event-stream');
  const fourth = await open(path).response;
  expect(await fourth.json()).toMatchObject({ status: 429, code: 'too_many_requests', retryable: true });
  for (const { leave } of readers) leave();
  await expect.poll(() => it.app.parts.streams.count()).toBe(0);
  const again = open(path);
  expect((await again.response).status).toBe(200);
  again.leave();
});

test('the output of a job that has not started is a conflict, its stream waits', async () => {
  const { id } = await it.submit({ script });
  expect((await it.call('GET', `/v1/jobs/${id}/logs`)).json()).toMatchObject({ status: 409, code: 'conflict' });
  expect((await it.call('GET', `/v1/jobs/${id}/logs?task=7`)).json()).toMatchObject({ status: 400 });
  const following = open(`/v1/jobs/${id}/logs?follow=true`);
  const response = await following.response;
  await requestCancel(it.db, { jobId: id, reason: 'cancelled_by_user', actor: 'test' });
  expect(await response.text()).toContain('event: end\ndata: {"offset":0,"problem":"the task never started"}');
});

test('an array needs the task named', async () => {
  const { id } = await it.submit({ script, array: { tasks: '5-9' } });
  const answer = (await it.call('GET', `/v1/jobs/${id}/logs`)).json();
  expect(answer).toMatchObject({ status: 400, hint: expect.stringContaining('5-9') });
});
