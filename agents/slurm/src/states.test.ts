import fc from 'fast-check';
import { expect, test } from 'vitest';
import { listedStateMeaning, stateMeaning } from './states.ts';

test.each([
  ['PENDING', 'waiting', null],
  ['PD', 'waiting', null],
  ['RUNNING', 'running', null],
  ['COMPLETING', 'running', null],
  ['COMPLETED', 'ended', 'completed'],
  ['OUT_OF_MEMORY', 'ended', 'out_of_memory'],
  ['OUT_OF_ME+', 'unknown', null],
  ['PREEMPTED', 'ended', 'preempted'],
  ['PR', 'ended', 'preempted'],
  ['CANCELLED', 'ended', 'cancelled'],
  ['CANCELLED by 1000', 'ended', 'cancelled'],
  ['CANCELLED by 0', 'ended', 'cancelled_by_system'],
  ['CANCELLED+', 'ended', 'cancelled'],
  ['NODE_FAIL', 'ended', 'node_fail'],
  ['LAUNCH_FAILED', 'unknown', null],
  ['toString', 'unknown', null],
  ['', 'unknown', null],
])('%s is %s, %s', (state, phase, end) => expect(stateMeaning(state)).toEqual({ phase, end }));

test('long and short names mean the same', () => {
  for (const [long, short] of [
    ['PREEMPTED', 'PR'],
    ['TIMEOUT', 'TO'],
    ['NODE_FAIL', 'NF'],
    ['DEADLINE', 'DL'],
    ['OUT_OF_MEMORY', 'OOM'],
    ['SUSPENDED', 'S'],
    ['REQUEUED', 'RQ'],
  ] as const)
    expect(stateMeaning(short)).toEqual(stateMeaning(long));
});

test('cancelled with nodes and without a claim was the cluster, unless somebody did it during the prolog', () => {
  const end = (host: string, reason = 'None') => listedStateMeaning({ state: 'CANCELLED', reason, host }).end;
  expect(end('')).toBe('cancelled');
  expect(end('n1')).toBe('cancelled_by_system');
  expect(end('n1', 'Prolog')).toBe('cancelled');
});

test('every text has a meaning', () => {
  fc.assert(fc.property(fc.string(), (text) => void stateMeaning(text)));
});
