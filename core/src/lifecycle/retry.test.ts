import { describe, expect, test } from 'vitest';
import { type AfterEnd, afterEnd, type EndedAttempt } from './retry.ts';

const attempt = (
  change: Omit<Partial<EndedAttempt>, 'retry'> & { maxAttempts?: number; exitCodes?: number[] },
): EndedAttempt => ({
  ...{
    end: { outcome: 'failed', reason: 'exit_code', exitCode: 1 },
    attempt: 1,
    rerunnable: false,
    refusals: 0,
    cancelRequested: false,
  },
  ...change,
  retry: { maxAttempts: change.maxAttempts ?? 3, on: { exitCodes: change.exitCodes ?? [] } },
});
const final = (outcome: 'succeeded' | 'failed' | 'cancelled'): AfterEnd => ({ kind: 'final', outcome });
const again = (backoffSeconds: number, usesAttempt: boolean, avoidCluster: boolean): AfterEnd => ({
  ...{ kind: 'requeue', backoffSeconds, usesAttempt, avoidCluster },
});
const refused = { outcome: 'refused', reason: 'rejected', detail: 'no such account' } as const;
const failed = (reason: 'node_failure' | 'preempted' | 'cluster_lost' | 'walltime' | 'out_of_memory' | 'unknown_end') =>
  ({ outcome: 'failed', reason }) as const;

describe('afterEnd', () => {
  test.each<[string, Parameters<typeof attempt>[0], AfterEnd]>([
    ['success', { end: { outcome: 'succeeded' } }, final('succeeded')],
    [
      'success, whatever may be retried',
      { end: { outcome: 'succeeded', exitCode: 0 }, rerunnable: true },
      final('succeeded'),
    ],
    [
      'cancelled',
      { end: { outcome: 'cancelled', reason: 'cancelled_natively' }, rerunnable: true },
      final('cancelled'),
    ],

    ['withdrawn: at once, no attempt used', { end: { outcome: 'withdrawn' }, maxAttempts: 1 }, again(0, false, false)],
    ['withdrawn after a cancel', { end: { outcome: 'withdrawn' }, cancelRequested: true }, final('cancelled')],
    ['refused once', { end: refused, maxAttempts: 1 }, again(2, false, true)],
    ['refused five times', { end: refused, refusals: 4 }, again(32, false, true)],
    ['refused seven times', { end: refused, refusals: 6 }, again(128, false, true)],
    [
      'refused eight times',
      { end: refused, refusals: 7 },
      { kind: 'fail', reason: 'rejected', sentence: 'refused 8 times, the last time: no such account' },
    ],
    ['refused after a cancel', { end: refused, cancelRequested: true }, final('cancelled')],

    ['exit 1', {}, final('failed')],
    ['exit 1 of a rerunnable job', { rerunnable: true }, final('failed')],
    [
      'exit 75, named',
      { end: { outcome: 'failed', reason: 'exit_code', exitCode: 75 }, exitCodes: [75] },
      again(2, true, false),
    ],
    [
      'exit 75, named, after a cancel',
      { end: { outcome: 'failed', reason: 'exit_code', exitCode: 75 }, exitCodes: [75], cancelRequested: true },
      final('failed'),
    ],
    [
      'exit 75, named, the last attempt',
      { end: { outcome: 'failed', reason: 'exit_code', exitCode: 75 }, exitCodes: [75], attempt: 3 },
      final('failed'),
    ],
    [
      'out of memory with a named exit code',
      { end: { ...failed('out_of_memory'), exitCode: 75 }, exitCodes: [75] },
      final('failed'),
    ],
    ['node failure', { end: failed('node_failure') }, final('failed')],
    ['node failure, rerunnable', { end: failed('node_failure'), rerunnable: true }, again(2, true, true)],
    [
      'node failure, rerunnable, second attempt',
      { end: failed('node_failure'), rerunnable: true, attempt: 2 },
      again(4, true, true),
    ],
    [
      'node failure, rerunnable, one attempt only',
      { end: failed('node_failure'), rerunnable: true, maxAttempts: 1 },
      final('failed'),
    ],
    [
      'node failure, rerunnable, many attempts',
      { end: failed('node_failure'), rerunnable: true, attempt: 50, maxAttempts: 100 },
      again(300, true, true),
    ],
    ['preempted, rerunnable', { end: failed('preempted'), rerunnable: true }, again(2, true, true)],
    ['cluster lost, rerunnable', { end: failed('cluster_lost'), rerunnable: true }, again(2, true, true)],
    ['walltime, rerunnable', { end: failed('walltime'), rerunnable: true }, final('failed')],
    ['unknown end, rerunnable', { end: failed('unknown_end'), rerunnable: true }, final('failed')],
  ])('%s', (_, change, expected) => {
    expect(afterEnd(attempt(change))).toEqual(expected);
  });
});

test('a rerunnable job has three attempts unless it says otherwise, any other has one', () => {
  const after = (ended: number, rerunnable: boolean, exitCodes: number[] = []) => {
    const end =
      exitCodes.length > 0
        ? ({ ...failed('node_failure'), reason: 'exit_code', exitCode: 7 } as const)
        : failed('node_failure');
    return afterEnd({ ...attempt({ end, attempt: ended, rerunnable }), retry: { on: { exitCodes } } }).kind;
  };
  expect([1, 2, 3].map((ended) => after(ended, true))).toEqual(['requeue', 'requeue', 'final']);
  expect(after(1, false, [7])).toBe('final');
  expect(after(2, true, [7])).toBe('requeue');
});
