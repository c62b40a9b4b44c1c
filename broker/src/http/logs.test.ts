import { randomUUIDv7 } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { addCluster } from '../db/add-cluster.ts';
import { saveLogChunk } from '../db/log-reads.ts';
import { newToken, tokenHash } from '../token.ts';
import { type AppUnderTest, appUnderTest, script } from './testing/app-under-test.ts';

let it: AppUnderTest;
let url: string;
/** The file on the cluster, and whether its task has ended. */
let output: Buffer;
let ended: boolean;
let stopAgent: () => void;

beforeAll(async () => {
  it = await appUnderTest();
  url = await it.app.listen({ host: '127.0.0.1', port: 0 });
  await addCluster(it.db, { name: 'north', tokenHash: tokenHash(newToken('yc_')), actor: 'test' });
  stopAgent = it.db.listen((notification) => notification.t === 'runs' && void answerReads());
});
beforeEach(() => {
  output = Buffer.alloc(0);
  ended = false;
});
afterAll(async () => {
  stopAgent();
  await it.close();
});

/** Stands for the session of the cluster and its agent: answers every read from the file. */
async function answerReads(): Promise<void> {
  const { rows } = await it.db.system.query('SELECT * FROM log_reads');
  for (const { id, byte_offset: offset, byte_limit: limit } of rows) {
    const data = output.subarray(offset, offset + limit);
    const end = ended && offset + data.length >= output.length;
    await saveLogChunk(it.db, 'north', id, { offset, data, end, problem: '' });
  }
}

async function runningJob(): Promise<string> {
  const { id } = await it.submit({ script });
  await it.asSuperuser(`INSERT INTO runs (id, job_id, group_path, cluster, attempt, placement_number, tasks, state, started)
    SELECT '${randomUUIDv7()}', '${id}', 'default', 'north', 1, count(*) + 1, '{[0,1)}', 'running', '{[0,1)}' FROM runs`);
  return id;
}

test('the bytes come as they are, piece by piece, with where to go on', async () => {
  output = Buffer.from(Array.from({ length: 600_000 }, (_, at) => at % 256));
  const id = await runningJob();
  const all = await it.call('GET', `/v1/jobs/${id}/logs`);
  expect(all.rawPayload.equals(output)).toBe(true);
  expect(all.headers).toMatchObject({ 'switchyard-next-offset': '600000', 'switchyard-end': 'false' });
  ended = true;
  const part = await it.call('GET', `/v1/jobs/${id}/logs?offset=599000&limit=10`);
  expect(part.rawPayload.equals(output.subarray(599_000, 599_010))).toBe(true);
  const rest = await it.call('GET', `/v1/jobs/${id}/logs?offset=599010`);
  expect(rest.headers).toMatchObject({ 'switchyard-next-offset': '600000', 'switchyard-end': 'true' });
});

test('a followed output brings what is written later, and ends with the task', async () => {
  output = Buffer.from('first\n');
  const id = await runningJob();
  const response = await fetch(`${url}/v1/jobs/${id}/logs?follow=true`, {
    headers: { authorization: `Bearer ${it.admin}` },
  });
  const events: { offset: number; data?: string }[] = [];
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    rest += chunk;
    const frames = rest.split('\n\n');
    rest = frames.pop()!;
    for (const frame of frames) {
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined) events.push(JSON.parse(data));
    }
    if (events.length === 1) {
      output = Buffer.from('first\nsecond ✓\n');
      ended = true;
    }
  }
  expect(events.map(({ data = '' }) => Buffer.from(data, 'base64').toString()).join('')).toBe('first\nsecond ✓\n');
  expect(events.at(-1)).toEqual({ offset: output.length });
});
