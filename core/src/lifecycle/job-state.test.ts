import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rangeSet } from '../spec/range-set.ts';
import { type JobFacts, jobEnd, jobState, type RunFacts } from './job-state.ts';
import { JOB_STATES, type JobState, RUN_STATES, type RunState, type TaskEnd } from './vocabulary.ts';

const job = (
  change: Partial<{ [Key in 'queued' | 'succeeded' | 'failed' | 'cancelled']: string }> & {
    held?: boolean;
    cancelRequested?: boolean;
  } = {},
): JobFacts => ({
  tasks: rangeSet('0-9'),
  queued: rangeSet(change.queued ?? ''),
  succeeded: rangeSet(change.succeeded ?? ''),
  failed: rangeSet(change.failed ?? ''),
  cancelled: rangeSet(change.cancelled ?? ''),
  held: change.held ?? false,
  cancelRequested: change.cancelRequested ?? false,
});
const run = (state: RunState): RunFacts => ({ state, tasks: rangeSet('0-9'), started: [], endedTasks: [] });

describe('jobState', () => {
  test.each<[string, JobFacts, RunState[], JobState]>([
    ['queued', job({ queued: '0-9' }), [], 'queued'],
    ['held', job({ queued: '0-9', held: true }), [], 'held'],
    ['held, but a cancel is under way', job({ queued: '0-9', held: true, cancelRequested: true }), [], 'queued'],
    ['offered', job(), ['offered'], 'placing'],
    ['held again while out', job({ held: true }), ['offered'], 'placing'],
    ['placed', job(), ['offered', 'placed'], 'placed'],
    ['running', job({ queued: '5-9' }), ['placed', 'running', 'offered', 'ended'], 'running'],
    ['back in the queue after a withdrawal', job({ queued: '0-9' }), ['ended'], 'queued'],
    ['some ended, the rest waits for its turn', job({ queued: '5-9', succeeded: '0-4' }), ['ended'], 'queued'],
    ['all succeeded', job({ succeeded: '0-9' }), ['ended'], 'succeeded'],
    ['all ended, the last observation of a run is still to come', job({ succeeded: '0-9' }), ['running'], 'succeeded'],
    ['one failed', job({ succeeded: '0-7', failed: '8', cancelled: '9' }), ['ended'], 'failed'],
    ['one cancelled', job({ succeeded: '0-8', cancelled: '9' }), ['ended'], 'cancelled'],
  ])('%s', (_, facts, states, expected) => {
    expect(jobState(facts, states.map(run))).toBe(expected);
  });

  test('total', () => {
    const set = fc.constantFrom('', '0-4', '5-9', '0-9');
    const facts = fc.record({
      queued: set,
      succeeded: set,
      failed: set,
      cancelled: set,
      held: fc.boolean(),
      cancelRequested: fc.boolean(),
    });
    fc.assert(
      fc.property(facts.map(job), fc.array(fc.constantFrom(...RUN_STATES)), (any, states) => {
        expect(JOB_STATES).toContain(jobState(any, states.map(run)));
      }),
    );
  });
});

describe('jobEnd', () => {
  const exit = (exitCode: number, tasks: string): TaskEnd => ({
    outcome: 'failed',
    reason: 'exit_code',
    exitCode,
    tasks,
  });
  const succeeded: TaskEnd = { outcome: 'succeeded', exitCode: 0, tasks: '0' };
  test.each<[string, TaskEnd[], string | undefined]>([
    ['none', [], undefined],
    ['success', [succeeded], '0'],
    ['failure before success', [succeeded, exit(3, '1')], '1'],
    ['the highest exit code, as sbatch --wait', [exit(3, '1'), exit(7, '2'), exit(5, '3')], '2'],
    [
      'a signal counts 128 + n',
      [exit(100, '1'), { outcome: 'failed', reason: 'signal', signal: 'KILL', tasks: '2' }, exit(255, '3')],
      '3',
    ],
    [
      'a signal before a lower exit code',
      [exit(100, '1'), { outcome: 'failed', reason: 'signal', signal: 'KILL', tasks: '2' }],
      '2',
    ],
    ['the lowest task of equals', [exit(3, '9'), exit(3, '4')], '4'],
    [
      'failure before cancellation before success',
      [{ outcome: 'cancelled', tasks: '5' }, succeeded, exit(1, '6')],
      '6',
    ],
    [
      'what started before what did not',
      [{ outcome: 'withdrawn', tasks: '5' }, { outcome: 'refused', tasks: '6' }, succeeded],
      '0',
    ],
    [
      'a refusal before a withdrawal',
      [
        { outcome: 'withdrawn', tasks: '5' },
        { outcome: 'refused', tasks: '6' },
      ],
      '6',
    ],
  ])('%s', (_, ends, tasks) => {
    const expected = ends.find((each) => each.tasks === tasks);
    const nothing = { reason: null, exitCode: null, signal: null, detail: null };
    const { tasks: __, ...rest } = expected ?? { tasks: '' };
    expect(jobEnd(ends)).toEqual(expected ? { ...nothing, ...rest } : null);
    expect(jobEnd(ends.toReversed())).toEqual(jobEnd(ends));
  });
});
