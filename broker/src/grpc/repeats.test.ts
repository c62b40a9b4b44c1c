import { expect, test } from 'vitest';
import { createRepeats } from './repeats.ts';

test('goes out at once, then after 2, 4, 8, 16, 30 and 30 seconds', () => {
  const repeats = createRepeats();
  const sent = [];
  for (let second = 0; second <= 95; second += 1) if (repeats.take('offer:1', second * 1000)) sent.push(second);
  expect(sent).toEqual([0, 2, 6, 14, 30, 60, 90]);
});

test('what stopped being pending starts anew', () => {
  const repeats = createRepeats();
  expect(repeats.take('offer:1', 0)).toBe(true);
  expect(repeats.take('offer:1', 1)).toBe(false);
  repeats.keepOnly(new Set(['offer:2']));
  expect(repeats.take('offer:1', 2)).toBe(true);
});
