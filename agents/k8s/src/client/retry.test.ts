import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KubeError } from './kube-error.ts';
import { backoffMs, retryDelayMs } from './retry.ts';

const given = { failures: 0, elapsedMs: 0, giveUpMs: 30_000, repeatIsHarmless: true, random: () => 0.5 };
const error = (kind: KubeError['kind'], more: object = {}) =>
  new KubeError({ kind, asked: 'x', sentence: 'x', ...more });

it('the pause grows to a limit and is spread over all of it', () => {
  expect([0, 1, 2, 3, 20, 2_000].map((failures) => backoffMs(failures, () => 1))).toEqual([
    100, 200, 400, 800, 5_000, 5_000,
  ]);
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const pause = backoffMs(failures, () => random);
      expect(pause).toBeGreaterThanOrEqual(0);
      expect(pause).toBeLessThanOrEqual(5_000);
    }),
  );
});

describe('another attempt', () => {
  it('is made for what may help', () => {
    for (const kind of ['unreachable', 'timeout', 'too_many_requests', 'server_error'] as const) {
      expect(retryDelayMs(error(kind), given)).toBe(50);
    }
  });

  it('is not made for what cannot help, nor once more for refused credentials', () => {
    for (const kind of [
      'forbidden',
      'not_found',
      'conflict',
      'already_exists',
      'gone',
      'invalid',
      'unauthorized',
    ] as const) {
      expect(retryDelayMs(error(kind), given)).toBeUndefined();
    }
  });

  it('is not made of what may have been carried out and must not be repeated', () => {
    const reset = error('unreachable', { unclear: true });
    expect(retryDelayMs(reset, { ...given, repeatIsHarmless: false })).toBeUndefined();
    expect(retryDelayMs(error('unreachable'), { ...given, repeatIsHarmless: false })).toBe(50);
    expect(retryDelayMs(reset, given)).toBe(50);
  });

  it('waits at least as long as the server asks', () => {
    expect(retryDelayMs(error('too_many_requests', { retryAfterMs: 3_000 }), given)).toBe(3_050);
  });

  it('does not begin after the time is up, and never without time', () => {
    expect(retryDelayMs(error('timeout'), { ...given, elapsedMs: 29_960 })).toBeUndefined();
    expect(retryDelayMs(error('timeout'), { ...given, giveUpMs: 0, random: () => 0 })).toBeUndefined();
  });
});
