import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLineSplitter } from './watch-lines.ts';

function split(bytes: Buffer, cuts: readonly number[]): { lines: string[]; pendingBytes: number } {
  const lines: string[] = [];
  const splitter = createLineSplitter((line) => lines.push(line));
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((one, other) => one - other);
  for (let index = 1; index < at.length; index += 1) splitter.push(bytes.subarray(at[index - 1], at[index]));
  return { lines, pendingBytes: splitter.pendingBytes() };
}

it('gives the same lines however the bytes are cut, also inside a character', () => {
  const line = fc.string({ unit: 'binary', minLength: 1 }).map((text) => JSON.stringify(text));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat()), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
      expect(split(bytes, cuts)).toEqual({ lines: lines.map((text) => Buffer.from(text).toString()), pendingBytes: 0 });
    }),
  );
});

it('keeps back what has no end', () => {
  expect(split(Buffer.from('{"a":1}\n{"b":'), [])).toEqual({ lines: ['{"a":1}'], pendingBytes: 5 });
});

it('refuses a line without end', () => {
  const splitter = createLineSplitter(() => {}, 10);
  splitter.push(Buffer.from('123456'));
  expect(() => splitter.push(Buffer.from('78901'))).toThrow('above 10 bytes');
});
