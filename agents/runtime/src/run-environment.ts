import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { indexes, type RangeSet } from '@switchyard/core/spec/range-set.ts';
import { isArray, taskSet } from '@switchyard/core/spec/task-set.ts';
import type { RunOrder } from './backend.ts';

/** Who a run is, as every payload sees it on every kind of cluster. */
export function runIdentity(order: RunOrder, cluster: string): Record<string, string> {
  return {
    YARD_JOB_ID: order.jobId,
    YARD_JOB_NUMBER: String(order.jobNumber),
    YARD_JOB_NAME: order.spec.name,
    YARD_RUN_ID: order.runId,
    YARD_ATTEMPT: String(order.attempt),
    YARD_CLUSTER: cluster,
    YARD_GROUP: order.groupPath,
  };
}

/** The whole array's numbers, for the run may be a part of it. */
export function arrayNumbers(spec: Pick<JobSpec, 'array'>): Record<string, string> {
  if (!isArray(spec)) return {};
  const all = taskSet(spec);
  const size = all.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return {
    YARD_ARRAY_COUNT: String(size),
    YARD_ARRAY_MIN: String(all[0]![0]),
    YARD_ARRAY_MAX: String(all.at(-1)![1]),
    YARD_ARRAY_STEP: String(stepOf(all)),
  };
}

/** SLURM_ARRAY_TASK_STEP: the distance of evenly spaced indexes, else 1. */
function stepOf(all: RangeSet): number {
  let step = 0;
  let previous: number | undefined;
  for (const index of indexes(all)) {
    if (previous !== undefined) {
      if (step !== 0 && index - previous !== step) return 1;
      step = index - previous;
    }
    previous = index;
  }
  return step || 1;
}
