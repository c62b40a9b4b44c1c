import { tasksOf } from '@switchyard/core/lifecycle/ended-tasks.ts';
import { count, difference, intersection, type RangeSet, union } from '@switchyard/core/spec/range-set.ts';
import type { LockedJob } from './locked-jobs.ts';
import type { LockedRun } from './locked-runs.ts';

/** The tasks of a run apart by how many attempts each has had, this one included: in an array, siblings may have needed more. */
export function byAttempt(job: LockedJob, run: LockedRun, tasks: RangeSet): { attempt: number; tasks: RangeSet }[] {
  if (count(job.tasks) === 1) return [{ attempt: run.attempt, tasks }];
  let parts = new Map<number, RangeSet>([[1, tasks]]);
  for (const failed of [...job.runs.values()].filter((other) => other.id !== run.id).map(failedTasks)) {
    if (failed.length === 0) continue;
    const next = new Map<number, RangeSet>();
    const add = (attempt: number, set: RangeSet) => {
      if (set.length > 0) next.set(attempt, union(next.get(attempt) ?? [], set));
    };
    for (const [attempt, part] of parts) {
      add(attempt, difference(part, failed));
      add(attempt + 1, intersection(part, failed));
    }
    parts = next;
  }
  return [...parts].map(([attempt, part]) => ({ attempt, tasks: part }));
}

function failedTasks({ ends }: LockedRun): RangeSet {
  return union(...ends.filter(({ outcome }) => outcome === 'failed').map(tasksOf));
}
