import { expect, test } from 'vitest';
import { readServerEvents } from './server-events.ts';

async function read(...chunks: (string | Uint8Array)[]) {
  const encoder = new TextEncoder();
  const body = ReadableStream.from(chunks.map((chunk) => (typeof chunk === 'string' ? encoder.encode(chunk) : chunk)));
  return Array.fromAsync(readServerEvents(body as ReadableStream<Uint8Array>));
}

test('events, comments, names and several lines of data', async () => {
  expect(await read(': open\n\nid: 1\ndata: {"a":1}\n\n', 'event: end\ndata: x\ndata:y\n\n: still here\n\n')).toEqual([
    { event: 'message', data: '{"a":1}' },
    { event: 'end', data: 'x\ny' },
  ]);
});

test('cut anywhere, also inside a character and between CR and LF', async () => {
  const bytes = new TextEncoder().encode('data: ä€\r\n\r\ndata: b\r\n\r\n');
  const expected = [
    { event: 'message', data: 'ä€' },
    { event: 'message', data: 'b' },
  ];
  for (let at = 0; at <= bytes.length; at += 1)
    expect(await read(bytes.subarray(0, at), bytes.subarray(at))).toEqual(expected);
});

test('an unfinished last event is dropped', async () => {
  expect(await read('data: a\n\ndata: b\n')).toEqual([{ event: 'message', data: 'a' }]);
});
