import { describe, expect, test } from 'vitest';
import { rangeSet } from '../spec/range-set.ts';
import { moveRun, runStateOf } from './run-transitions.ts';
import { OUTCOMES, type Outcome, RUN_STATES, type RunState, type TaskEnd } from './vocabulary.ts';

describe('moveRun', () => {
  const legal: readonly string[] = [
    ...['offered placed', 'offered running', 'placed running'],
    ...OUTCOMES.map((outcome) => `offered ended ${outcome}`),
    ...OUTCOMES.map((outcome) => `placed ended ${outcome}`),
    ...['running ended succeeded', 'running ended failed', 'running ended cancelled'],
  ];
  const all = RUN_STATES.flatMap((from) =>
    RUN_STATES.flatMap((to) =>
      [undefined, ...OUTCOMES].map((outcome): [RunState, RunState, Outcome | undefined] => [from, to, outcome]),
    ),
  );

  test.each(all)('%s → %s (%s)', (from, to, outcome) => {
    const isLegal = legal.includes([from, to, outcome].filter((each) => each !== undefined).join(' '));
    expect(moveRun(from, to, outcome)).toEqual(isLegal ? { ok: true } : { ok: false, message: expect.any(String) });
  });

  test('an illegal move says what is wrong', () => {
    expect(moveRun('ended', 'running')).toEqual({ ok: false, message: 'an end is final' });
    expect(moveRun('running', 'placed')).toEqual({ ok: false, message: 'a run cannot move from running to placed' });
    expect(moveRun('running', 'ended', 'withdrawn')).toEqual({
      ok: false,
      message: 'a run that is running cannot end withdrawn',
    });
  });
});

describe('runStateOf', () => {
  const end = (tasks: string, outcome: Outcome = 'succeeded'): TaskEnd => ({ outcome, tasks });
  test.each<[string, boolean, string, TaskEnd[], RunState]>([
    ['nothing yet', false, '', [], 'offered'],
    ['in the cluster queue', true, '', [], 'placed'],
    ['one task started', true, '3', [], 'running'],
    ['one succeeded, the others wait', true, '', [end('3')], 'running'],
    ['one withdrawn, the others wait', true, '', [end('3', 'withdrawn')], 'placed'],
    ['all but one ended', true, '0-9', [end('0-8')], 'running'],
    ['all ended', true, '0-9', [end('0-4'), end('5-9', 'failed')], 'ended'],
    ['all ended without ever being seen', false, '', [end('0-9', 'refused')], 'ended'],
    ['an end that nobody can read', true, '', [end('x')], 'running'],
  ])('%s', (_, placed, started, ends, state) => {
    expect(runStateOf({ placed, started: rangeSet(started), ends, tasks: rangeSet('0-9') })).toBe(state);
  });
});
