import { parseRangeSet, type RangeSet, union } from '../spec/range-set.ts';
import type { TaskEnd } from './vocabulary.ts';

/** All tasks that these ends speak of; an end whose range nobody can read speaks of none. */
export function endedTasks(ends: readonly Pick<TaskEnd, 'tasks'>[]): RangeSet {
  return union(...ends.map((end) => tasksOf(end)));
}

/** The tasks of one end. */
export function tasksOf(end: Pick<TaskEnd, 'tasks'>): RangeSet {
  const parsed = parseRangeSet(end.tasks);
  return parsed.ok ? parsed.set : [];
}
