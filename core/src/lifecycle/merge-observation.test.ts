import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  count,
  difference,
  formatRangeSet,
  fromIndexes,
  intersection,
  type RangeSet,
  rangeSet,
  union,
} from '../spec/range-set.ts';
import { endedTasks, tasksOf } from './ended-tasks.ts';
import { type MergedRun, mergeRun, type Observation } from './merge-observation.ts';
import { moveRun } from './run-transitions.ts';
import { OUTCOMES, RUN_STATES, type TaskEnd } from './vocabulary.ts';

const offered: MergedRun = {
  ...{ state: 'offered', tasks: rangeSet('0-9'), started: [], endedTasks: [], ends: [], outcome: null, reason: null },
  ...{ nativeId: null, nativeSubmittedAtMs: null, nativeState: null, nativeReason: null, startedAtMs: null },
  ...{ stdoutPath: null, stderrPath: null },
};
const seen = (change: Partial<Observation>): Observation => ({
  ...{ placed: true, started: '', startedAtMs: 0, ends: [], nativeId: '', nativeSubmittedAtMs: 0 },
  ...{ nativeState: '', nativeReason: '', stdoutPath: '', stderrPath: '' },
  ...change,
});

describe('mergeRun', () => {
  test('starts are a union, and what is empty takes nothing away', () => {
    const first = mergeRun(
      offered,
      seen({ started: '0-2', nativeId: '42', nativeState: 'PENDING', nativeReason: 'Priority', startedAtMs: 5 }),
    ).run;
    const { run, changed } = mergeRun(first, seen({ started: '2-4', nativeState: 'RUNNING' }));
    expect(run).toMatchObject({
      state: 'running',
      nativeId: '42',
      nativeState: 'RUNNING',
      nativeReason: null,
      startedAtMs: 5,
    });
    expect([formatRangeSet(run.started), changed]).toEqual(['0-4', true]);
  });

  test('the first end of a task is final', () => {
    const first = mergeRun(
      offered,
      seen({ started: '0-9', ends: [{ outcome: 'succeeded', exitCode: 0, tasks: '0-4' }] }),
    ).run;
    const { run, newEnds } = mergeRun(
      first,
      seen({ ends: [{ outcome: 'failed', reason: 'exit_code', exitCode: 1, tasks: '3-9' }] }),
    );
    expect(newEnds).toEqual([{ outcome: 'failed', reason: 'exit_code', exitCode: 1, tasks: '5-9' }]);
    expect(run).toMatchObject({ state: 'ended', outcome: 'failed', reason: 'exit_code' });
  });

  test('a task that started is never withdrawn or refused', () => {
    const { newEnds } = mergeRun(offered, seen({ started: '0-4', ends: [{ outcome: 'withdrawn', tasks: '0-9' }] }));
    expect(newEnds).toEqual([
      { outcome: 'withdrawn', tasks: '5-9' },
      { outcome: 'failed', reason: 'unknown_end', detail: 'reported as withdrawn after it had started', tasks: '0-4' },
    ]);
  });

  test('what was withdrawn does not start again, and the run ends as what it was', () => {
    const withdrawn = mergeRun(offered, seen({ ends: [{ outcome: 'withdrawn', tasks: '0-4' }] })).run;
    const late = mergeRun(withdrawn, seen({ started: '0-4' })).run;
    expect([late.state, late.started]).toEqual(['placed', []]);
    const { run } = mergeRun(late, seen({ ends: [{ outcome: 'refused', reason: 'rejected', tasks: '5-9' }] }));
    expect(run).toMatchObject({ state: 'ended', started: [] });
    expect(['withdrawn', 'refused']).toContain(run.outcome);
  });

  test('tasks of others and ranges that nobody can read count for nothing', () => {
    const odd = [{ outcome: 'lost', tasks: '0-9' } as unknown as TaskEnd, { outcome: 'failed', tasks: 'x' } as const];
    const { run, newEnds } = mergeRun(
      offered,
      seen({ placed: false, started: '10-20', ends: [...odd, { outcome: 'failed', tasks: '10-20' }] }),
    );
    expect([run, newEnds]).toEqual([offered, []]);
  });

  test('the same observation again changes nothing', () => {
    const observation = seen({
      started: '0-9',
      ends: [{ outcome: 'succeeded', tasks: '0-9' }],
      nativeId: '1',
      nativeState: 'COMPLETED',
    });
    const once = mergeRun(offered, observation).run;
    expect(mergeRun(once, observation)).toEqual({ run: once, newEnds: [], changed: false });
  });
});

describe('whatever comes, in whatever order', () => {
  const indexes = fc.uniqueArray(fc.nat(12)).map((list) => formatRangeSet(fromIndexes(list)));
  const end: fc.Arbitrary<TaskEnd> = fc.record({ outcome: fc.constantFrom(...OUTCOMES), tasks: indexes });
  const observation = fc
    .record({
      placed: fc.boolean(),
      started: indexes,
      ends: fc.array(end, { maxLength: 3 }),
      nativeId: fc.constantFrom('', '1'),
    })
    .map(seen);

  test('a run only moves along the table, starts and ends only grow, and an end never changes', () => {
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 6 }), (list) => {
        let run = offered;
        for (const each of list) {
          const merge = mergeRun(run, each);
          expectForward(run, merge.run);
          expect(merge.run.ends.slice(0, run.ends.length)).toEqual(run.ends);
          expect(intersection(run.endedTasks, union(...merge.newEnds.map(tasksOf)))).toEqual([]);
          run = merge.run;
        }
        expect(run.ends.reduce((sum, each) => sum + count(tasksOf(each)), 0)).toBe(count(run.endedTasks));
        expect(endedTasks(run.ends)).toEqual(run.endedTasks);
      }),
    );
  });

  function expectForward(before: MergedRun, after: MergedRun): void {
    if (before.state === after.state) expect(RUN_STATES).toContain(after.state);
    else expect(moveRun(before.state, after.state, after.outcome ?? undefined)).toEqual({ ok: true });
    expect(grown(before.started, after.started) && grown(before.endedTasks, after.endedTasks)).toBe(true);
    expect(difference(after.endedTasks, after.tasks)).toEqual([]);
  }

  function grown(before: RangeSet, after: RangeSet): boolean {
    return difference(before, after).length === 0;
  }
});
