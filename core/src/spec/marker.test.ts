import fc from 'fast-check';
import { expect, test } from 'vitest';
import { markerOf, parseMarker } from './marker.ts';

const RUN = '0190f3c2-7a6b-7def-8123-456789abcdef';

test('every run has its own marker, and the marker gives the run back', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.stringMatching(/^[a-z2-7]{4}$/), (runId, federation) => {
      const marker = markerOf(federation, runId);
      expect(marker).toMatch(/^yd[a-z2-7]{4}-[a-z2-7]{26}$/);
      expect(parseMarker(marker)).toEqual({ federation, runId });
    }),
  );
});

test('base32 as RFC 4648 writes it', () => {
  expect(markerOf('abcd', '66666666-6666-6666-6666-666666666666')).toBe('ydabcd-mztgmztgmztgmztgmztgmztgmy');
  expect(markerOf('abcd', RUN.toUpperCase())).toBe(markerOf('abcd', RUN));
});

test.each([
  '',
  'ydabcd-',
  `ydabcd-${'a'.repeat(25)}b`,
  `ydabcd-${'a'.repeat(27)}`,
  `ydABCD-${'a'.repeat(26)}`,
  ` ydabcd-${'a'.repeat(26)}`,
  `ydabcd-${'a'.repeat(25)}1`,
])("'%s' is no marker", (text) => {
  expect(parseMarker(text)).toBeNull();
});

test.each([
  ['abc', RUN],
  ['ab1d', RUN],
  ['abcd', 'x'],
])('no marker can be made of %s and %s', (federation, runId) => {
  expect(() => markerOf(federation, runId)).toThrow(RangeError);
});
