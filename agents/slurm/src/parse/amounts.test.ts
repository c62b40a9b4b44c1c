import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDuration, parseEpoch, parseGpus, parseWhole } from './amounts.ts';

test.each([
  ['0:00', 0],
  ['3:04', 184],
  ['2:03:04', 7384],
  ['1-02:03:04', 93_784],
  ['365-00:00:00', 31_536_000],
  ['00:10:00', 600],
  ['UNLIMITED', null],
  ['NOT_SET', null],
  ['INVALID', null],
  ['NONE', null],
  ['', null],
])('duration %s', (text, seconds) => expect(parseDuration(text)).toBe(seconds));

test.each([
  ['1795271514', 1_795_271_514_000],
  ['N/A', null],
  ['NONE', null],
  ['Unknown', null],
  ['0', null],
  ['2026-11-21T13:52:44', null],
])('time %s', (text, ms) => expect(parseEpoch(text)).toBe(ms));

test.each([
  ['gpu:2', { '': 2 }],
  ['gpu', { '': 1 }],
  ['gpu:a100:4(S:0-1)', { a100: 4 }],
  ['gpu:a100:2(IDX:0-1),gpu:v100:0(IDX:N/A)', { a100: 2, v100: 0 }],
  ['gpu:a100:4(S:0,1),nvme:2', { a100: 4 }],
  ['gres:gpu:1', { '': 1 }],
  ['gres/gpu:h100=8', { h100: 8 }],
  ['gres/gpu=3', { '': 3 }],
  ['(null)', {}],
  ['N/A', {}],
  ['gpumem:80G', {}],
  ['', {}],
])('GPUs of %s', (text, gpus) => expect(Object.fromEntries(parseGpus(text))).toEqual(gpus));

test('every text gives a value', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseDuration(text);
      parseEpoch(text);
      parseWhole(text);
      for (const amount of parseGpus(text).values()) expect(Number.isSafeInteger(amount)).toBe(true);
    }),
  );
});
