import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  contains,
  count,
  difference,
  equal,
  formatRangeSet,
  fromIndexes,
  indexes,
  intersection,
  MAX_RANGES,
  parseRangeSet,
  type RangeSet,
  rangeSet,
  takeFirst,
  union,
} from './range-set.ts';

describe('parseRangeSet', () => {
  test.each([
    ['0', '0'],
    ['0-9,12', '0-9,12'],
    ['5,4,3', '3-5'],
    ['0-15:4', '0-12:4'],
    ['1-5:2,7', '1-7:2'],
    ['0-3,2-8', '0-8'],
    ['00-03', '0-3'],
    [' 1 , 3 ', '1,3'],
  ])('%s', (text, canonical) => {
    expect(formatRangeSet(rangeSet(text))).toBe(canonical);
  });

  test.each([
    '',
    ',',
    '-1',
    '1-',
    'a',
    '1-2-3',
    '5-1',
    '1-9:0',
    '4000001',
    '1e3',
    '0x1',
    '1%4',
    '١',
    '1\n2',
    '0-4000000:2',
  ])("'%s' is refused with a sentence", (text) => {
    expect(parseRangeSet(text)).toEqual({ ok: false, message: expect.any(String) });
  });
});

describe('the same as sets of numbers', () => {
  const index = fc.integer({ min: 0, max: 60 });
  const pair = fc.tuple(fc.uniqueArray(index), fc.uniqueArray(index));
  const same = (set: RangeSet, expected: Iterable<number>) =>
    expect([...indexes(set)]).toEqual([...new Set(expected)].sort((left, right) => left - right));

  test('union, difference, intersection, contains, count, takeFirst', () => {
    fc.assert(
      fc.property(pair, index, ([left, right], limit) => {
        const [a, b] = [fromIndexes(left), fromIndexes(right)];
        same(union(a, b), [...left, ...right]);
        same(
          difference(a, b),
          left.filter((each) => !right.includes(each)),
        );
        same(
          intersection(a, b),
          left.filter((each) => right.includes(each)),
        );
        same(takeFirst(a, limit), [...indexes(a)].slice(0, limit));
        expect(contains(a, limit)).toBe(left.includes(limit));
        expect(count(a)).toBe(left.length);
        expect(equal(a, b)).toBe(difference(a, b).length === 0 && difference(b, a).length === 0);
      }),
    );
  });

  test('the text gives the set back', () => {
    fc.assert(
      fc.property(fc.uniqueArray(index, { minLength: 1 }), (list) => {
        expect(rangeSet(formatRangeSet(fromIndexes(list)))).toEqual(fromIndexes(list));
      }),
    );
  });

  test('sets are sorted, disjoint and not adjacent', () => {
    fc.assert(
      fc.property(fc.uniqueArray(index), (list) => {
        const set = fromIndexes(list);
        for (const [at, [first, last]] of set.entries()) {
          expect(first).toBeLessThanOrEqual(last);
          if (at > 0) expect(first).toBeGreaterThan(set[at - 1]![1] + 1);
        }
      }),
    );
  });
});

test('a text cannot make us hold more ranges than the bound', () => {
  expect(parseRangeSet(`0-${2 * MAX_RANGES}:2`)).toEqual({
    ok: false,
    message: `more than ${MAX_RANGES} separate ranges`,
  });
});
