import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FIELD } from '../dialect.ts';
import { readFixture } from '../read-fixture.ts';
import { parseAccounting } from './accounting.ts';

const ends = parseAccounting(readFixture('sacct/22.05/ends'));
const job = (nativeId: string) => ends.find((each) => each.nativeId === nativeId);

test('completed is exit code 0', () => {
  expect(job('1')).toMatchObject({
    phase: 'ended',
    end: 'completed',
    exitCode: 0,
    signal: null,
    pool: 'batch',
    host: 'n1',
  });
});

test('exit 200 is shown as 72, so the code is only told in words', () => {
  expect(job('2')).toMatchObject({ end: 'failed', exitCode: null, rawReason: 'exit code 72 or 200' });
});

test('a signal, out of memory, a lost node', () => {
  expect(job('3')).toMatchObject({ end: 'failed', signal: 9 });
  expect(job('4')).toMatchObject({ end: 'out_of_memory' });
  expect(job('15')).toMatchObject({ end: 'node_fail' });
});

test('who cancelled: uid 0 is the system', () => {
  expect(job('5')).toMatchObject({ end: 'cancelled_by_system', rawState: 'CANCELLED by 0' });
  expect(
    parseAccounting(readFixture('sacct/22.05/ends').replace('CANCELLED by 0', 'CANCELLED by 1000')),
  ).toContainEqual(expect.objectContaining({ nativeId: '5', end: 'cancelled' }));
});

test('tasks of an array one by one, and nothing for those that still wait together', () => {
  expect(job('7_1')).toMatchObject({ phase: 'running', tasks: '1', endedAtMs: null });
  expect(ends.filter((each) => each.nativeId.startsWith('7')).map((each) => each.nativeId)).toEqual([
    '7_0',
    '7_1',
    '7_2',
  ]);
});

test('every text gives a list', () => {
  const line = fc
    .array(fc.oneof(fc.string(), fc.constantFrom('1', '1_2', 'COMPLETED', '0:0')))
    .map((all) => all.join(FIELD));
  fc.assert(fc.property(fc.array(line), (lines) => void parseAccounting(lines.join('\n'))));
});
