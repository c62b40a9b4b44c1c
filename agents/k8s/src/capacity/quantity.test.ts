import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { milli, parseQuantity, units } from './quantity.ts';

const NANOS = 1_000_000_000n;

test.each([
  ['0', 0n],
  ['1', NANOS],
  ['100m', NANOS / 10n],
  ['1.5', (NANOS * 3n) / 2n],
  ['.5', NANOS / 2n],
  ['5.', 5n * NANOS],
  ['0.1Gi', (2n ** 30n * NANOS) / 10n],
  ['2Gi', 2n ** 31n * NANOS],
  ['1Ki', 1024n * NANOS],
  ['1k', 1000n * NANOS],
  ['1e3', 1000n * NANOS],
  ['1E3', 1000n * NANOS],
  ['1E+3', 1000n * NANOS],
  ['1e-3', NANOS / 1000n],
  ['12E', 12n * 10n ** 27n],
  ['9E', 9n * 10n ** 18n * NANOS],
  ['8Ei', (2n ** 63n - 1n) * NANOS],
  ['1e999999999', 10n ** 1008n],
  ['1e-999999999', 1n],
  ['3n', 3n],
  ['3u', 3000n],
  ['0.1n', 1n],
  ['-1.5', (NANOS * -3n) / 2n],
  ['-0.1n', -1n],
  ['+7', 7n * NANOS],
  ['007', 7n * NANOS],
])('%s', (text, nanos) => {
  expect(parseQuantity(text)).toBe(nanos);
});

test.each([
  '',
  ' ',
  '.',
  '-',
  'm',
  'Gi',
  '1 Gi',
  '1gi',
  '1KI',
  '1K',
  '1e',
  '1e1.5',
  '1mm',
  '1Gi ',
  '--1',
  '1,5',
  '0x10',
  'NaN',
  '1G3',
])('%s is no quantity', (text) => {
  expect(parseQuantity(text)).toBeNull();
  expect(units(text, 'up')).toBe(0);
});

describe('whole numbers', () => {
  test('up for requests, down for what there is', () => {
    expect([milli('0.1001', 'up'), milli('0.1001', 'down')]).toEqual([101, 100]);
    expect([units('1500m', 'up'), units('1500m', 'down')]).toEqual([2, 1]);
    expect([milli(undefined, 'up'), units('-5', 'down')]).toEqual([0, 0]);
  });
});

const suffixes = [
  ...Object.entries({ n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12 }).map(([suffix, power]) => ({
    suffix,
    times: power < 0 ? { of: 1n, per: 10n ** BigInt(-power) } : { of: 10n ** BigInt(power), per: 1n },
  })),
  ...['Ki', 'Mi', 'Gi', 'Ti'].map((suffix, at) => ({ suffix, times: { of: 2n ** BigInt(10 * (at + 1)), per: 1n } })),
];

test('every decimal with every suffix is the exact value, rounded up to billionths', () => {
  const written = fc.record({
    digits: fc.bigInt({ min: 0n, max: 999_999n }),
    places: fc.integer({ min: 0, max: 12 }),
    suffix: fc.constantFrom(...suffixes),
  });
  fc.assert(
    fc.property(written, ({ digits, places, suffix: { suffix, times } }) => {
      const text = digits.toString().padStart(places + 1, '0');
      const number = places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`;
      const [above, below] = [digits * times.of * NANOS, times.per * 10n ** BigInt(places)];
      const exact = (above + below - 1n) / below;
      expect(parseQuantity(number + suffix)).toBe(exact);
    }),
  );
});

test('what there is rounds down, what is asked for rounds up, never the other way', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 2n ** 49n }), (nanos) => {
      const [down, up] = [milli(`${nanos}n`, 'down'), milli(`${nanos}n`, 'up')];
      const exact = (thousandths: number) => BigInt(thousandths) * 1_000_000n;
      expect(exact(down) <= nanos && nanos <= exact(up) && up - down <= 1).toBe(true);
    }),
  );
});

test('every text gives a value or null', () => {
  const near = fc.stringMatching(/^[+-]?[0-9.]{0,5}[eEinumkKMGTP]{0,2}[+-]?[0-9]{0,12}$/);
  fc.assert(
    fc.property(fc.oneof(fc.string(), near), (text) => ['bigint', 'object'].includes(typeof parseQuantity(text))),
  );
});
