import { expect, test } from 'vitest';
import { breakerReason } from './breaker.ts';

const ends = { cluster: 'north', ended: 20, refused: 20, vanished: 0, badJobs: 20 };

test.each([
  ['nearly everything refused', ends, '20 of 20 runs that ended here within 60 s were refused before they started'],
  [
    'mass disappearance',
    { ...ends, refused: 2, vanished: 16 },
    '18 of 20 runs that ended here within 60 s disappeared without a trace',
  ],
  ['too few to tell', { ...ends, ended: 9, refused: 9, badJobs: 9 }, null],
  ['one bad job again and again', { ...ends, badJobs: 1 }, null],
  ['most runs are fine', { ...ends, refused: 15 }, null],
  ['nothing ended', { ...ends, ended: 0, refused: 0, badJobs: 0 }, null],
])('%s', (_, given, reason) => {
  expect(breakerReason(given)).toBe(reason);
});
