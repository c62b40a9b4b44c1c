import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseClaim } from './claim-record.ts';

const FIRST = 'claim 123_4 2 node-7 1700000000 4711';
const TAKEN = {
  ...{ by: 'wrapper', nativeId: '123_4', restartCount: 2, host: 'node-7', claimedAtMs: 1_700_000_000_000, pid: 4711 },
  ...{ startedAtMs: null, signals: [], end: null },
};

test.each([
  ['withdrawn 1700000000\n', { by: 'withdrawn' }],
  ['withdrawn', { by: 'withdrawn' }],
  ['cancelled by ada\n', { by: 'cancelled' }],
  [`${FIRST}\n`, TAKEN],
  [FIRST, TAKEN],
  [`${FIRST}\nstart 1700000001\n`, { ...TAKEN, startedAtMs: 1_700_000_001_000 }],
  [`${FIRST}\nsignal USR1\nsignal TERM\n`, { ...TAKEN, signals: ['USR1', 'TERM'] }],
  [
    `${FIRST}\nend 0 1700000009 4096 1\n`,
    { ...TAKEN, end: { code: 0, endedAtMs: 1_700_000_009_000, peakMemoryBytes: 4096, oomKills: 1 } },
  ],
  [`${FIRST}\nend 3 0 0 0\n`, { ...TAKEN, end: { code: 3, endedAtMs: null, peakMemoryBytes: null, oomKills: 0 } }],
  [
    `${FIRST}\nend 3 0 0 0\nend 0 0 0 0\n`,
    { ...TAKEN, end: { code: 3, endedAtMs: null, peakMemoryBytes: null, oomKills: 0 } },
  ],
  [`${FIRST}\nend 1`, TAKEN],
  [`${FIRST}\nend 256 0 0 0\n`, TAKEN],
  [`${FIRST}\nend x\nkey 1-2-3\nuptime 12.5\n\n`, TAKEN],
])('%j', (text, record) => {
  expect(parseClaim(text)).toEqual(record);
});

test('anything else has been taken by somebody, and has no end', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const record = parseClaim(text);
      if (!/^(withdrawn|cancelled)( |\n|$)/.test(text)) expect(record).toMatchObject({ by: 'wrapper', end: null });
    }),
  );
});
