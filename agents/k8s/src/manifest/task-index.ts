import { type RangeSet, union } from '@switchyard/core/spec/range-set.ts';

/** The task of an array run that a completion index of its Job stands for: the tasks in ascending order. Null beyond the last. */
export function taskOfIndex(tasks: RangeSet, index: number): number | null {
  let left = index;
  for (const [first, last] of tasks) {
    const size = last - first + 1;
    if (left < size) return left < 0 ? null : first + left;
    left -= size;
  }
  return null;
}

/** The completion index of a task; null when the run does not have it. */
export function indexOfTask(tasks: RangeSet, task: number): number | null {
  let before = 0;
  for (const [first, last] of tasks) {
    if (task >= first && task <= last) return before + task - first;
    before += last - first + 1;
  }
  return null;
}

/** The tasks that a set of completion indexes stands for, in O(ranges); indexes beyond the last are none. */
export function tasksOfIndexes(tasks: RangeSet, indexes: RangeSet): RangeSet {
  const found: [number, number][] = [];
  let before = 0;
  let at = 0;
  for (const [first, last] of tasks) {
    const end = before + last - first;
    while (at < indexes.length && indexes[at]![1] < before) at += 1;
    for (let each = at; each < indexes.length && indexes[each]![0] <= end; each += 1) {
      const [from, to] = indexes[each]!;
      found.push([first + Math.max(from, before) - before, first + Math.min(to, end) - before]);
    }
    before = end + 1;
  }
  return union(found);
}
