import { expect, test } from 'vitest';
import { advanceOutOfSight } from './out-of-sight.ts';

test('counts only what was looked at, and starts again once seen', () => {
  let seen = advanceOutOfSight(new Map(), ['north'], 1000);
  expect([...seen]).toEqual([['north', 0]]);
  seen = advanceOutOfSight(seen, ['north', 'east'], 1000);
  expect([...seen]).toEqual([
    ['north', 1000],
    ['east', 0],
  ]);
  seen = advanceOutOfSight(seen, ['north'], 3_600_000);
  expect([...seen]).toEqual([['north', 6000]]);
  expect([...advanceOutOfSight(seen, [], 1000)]).toEqual([]);
});
