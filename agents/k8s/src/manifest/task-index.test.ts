import { formatRangeSet, fromIndexes, indexes, rangeSet } from '@switchyard/core/spec/range-set.ts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { indexOfTask, taskOfIndex, tasksOfIndexes } from './task-index.ts';

const set = fc.uniqueArray(fc.nat(60), { maxLength: 40 }).map(fromIndexes);

it('a completion index is a place in the ascending list of tasks', () => {
  fc.assert(
    fc.property(set, (tasks) => {
      const list = [...indexes(tasks)];
      for (const [index, task] of list.entries()) {
        expect(taskOfIndex(tasks, index)).toBe(task);
        expect(indexOfTask(tasks, task)).toBe(index);
      }
      expect(taskOfIndex(tasks, list.length)).toBeNull();
      expect(indexOfTask(tasks, 61)).toBeNull();
    }),
  );
  expect(taskOfIndex([[5, 9]], -1)).toBeNull();
});

it('a set of completion indexes is a set of tasks', () => {
  fc.assert(
    fc.property(set, set, (tasks, completed) => {
      const list = [...indexes(tasks)];
      const expected = [...indexes(completed)].filter((index) => index < list.length).map((index) => list[index]!);
      expect(tasksOfIndexes(tasks, completed)).toEqual(fromIndexes(expected));
    }),
  );
  expect(formatRangeSet(tasksOfIndexes(rangeSet('10-19,30'), rangeSet('0-3,9-10')))).toBe('10-13,19,30');
});
