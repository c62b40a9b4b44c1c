import { expect, test } from 'vitest';
import { endsFromWire, isUuid, knownTimeMs, plainText } from './wire.ts';

const end = { outcome: 'succeeded', reason: '', signal: '', detail: '', tasks: '0', host: '' };

function read(...ends: Parameters<typeof endsFromWire>[0]) {
  const warnings: string[] = [];
  return { ends: endsFromWire(ends, (sentence) => warnings.push(sentence)), warnings };
}

test('a whole end', () => {
  const given = {
    outcome: 'failed',
    reason: 'out_of_memory',
    exitCode: 0,
    signal: 'KILL',
    detail: 'OUT_OF_MEMORY',
    tasks: '0-9,12',
    startedAtMs: 1_000,
    endedAtMs: 2_000,
    peakMemoryBytes: 5,
    host: 'n1',
  };
  expect(read(given)).toEqual({ ends: [given], warnings: [] });
});

test('a success needs no reason, and has none even if one is sent', () => {
  expect(read({ ...end, reason: 'signal' }).ends).toEqual([{ outcome: 'succeeded', tasks: '0' }]);
});

test('an outcome nobody knows is left out, never guessed', () => {
  const { ends, warnings } = read({ ...end, outcome: 'finished' }, end);
  expect(ends).toHaveLength(1);
  expect(warnings).toEqual(["unknown outcome 'finished'"]);
});

test.each(['', 'gremlins'])('an unknown reason %j is an unknown end', (reason) => {
  expect(read({ ...end, outcome: 'failed', reason }).ends[0]).toMatchObject({
    outcome: 'failed',
    reason: 'unknown_end',
  });
});

test.each(['', '1-', 'x'])('an end of tasks %j is left out', (tasks) => {
  const { ends, warnings } = read({ ...end, tasks });
  expect(ends).toEqual([]);
  expect(warnings).toHaveLength(1);
});

test('an exit code above 255 is not an exit code', () => {
  expect(read({ ...end, exitCode: 256 }).ends).toEqual([{ outcome: 'succeeded', tasks: '0' }]);
});

test('text that Postgres cannot keep is made plain', () => {
  expect(plainText('a\0b', 10)).toBe('ab');
  expect(plainText('ab😀', 3)).toBe('ab\ufffd');
});

test.each([
  [0, 0],
  [undefined, 0],
  [Number.MAX_SAFE_INTEGER, 0],
  [1_700_000_000_000, 1_700_000_000_000],
])('time %s is %s', (given, known) => {
  expect(knownTimeMs(given)).toBe(known);
});

test('ids', () => {
  expect(isUuid('0193c1f0-0000-7000-8000-000000000000')).toBe(true);
  expect(isUuid("0193c1f0'; --")).toBe(false);
});
