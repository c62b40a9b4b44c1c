import type { WaitingJob } from './snapshot.ts';

/**
 * The order in which jobs are placed; total. 1. higher priority; 2. the group further below its fair share (`shares`: dominant
 * share per group, lower first; all equal until accounting brings them); 3. older; 4. smaller id.
 */
export function queueOrder(
  shares: ReadonlyMap<string, number> = new Map(),
): (left: OrderedJob, right: OrderedJob) => number {
  const share = (job: OrderedJob) => shares.get(job.groupPath) ?? 0;
  return (left, right) =>
    right.priority - left.priority ||
    share(left) - share(right) ||
    left.createdAtMs - right.createdAtMs ||
    (left.id < right.id ? -1 : left.id > right.id ? 1 : 0);
}

export type OrderedJob = Pick<WaitingJob, 'id' | 'groupPath' | 'priority' | 'createdAtMs'>;
