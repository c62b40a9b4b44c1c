import type { Plan, Wait, WaitingJob } from './snapshot.ts';

type Kind = Wait['kind'];
export type NotNow = { readonly kind: Kind; readonly sentence: string };
type DeadReason = Plan['dead'][number]['reason'];

/** Why a job can never start, whatever the clusters; null: it can. */
export function deadReason(job: WaitingJob, nowMs: number): { reason: DeadReason; sentence: string } | null {
  if (job.dependency === 'impossible')
    return { reason: 'dependency', sentence: 'a job that it depends on ended otherwise than it must' };
  const { startDeadline } = job.spec;
  if (startDeadline !== undefined && Date.parse(startDeadline) <= nowMs)
    return { reason: 'deadline', sentence: `it had not started by its deadline ${startDeadline}` };
  return null;
}

/** What a job waits for before any cluster is asked; null: nothing. In this order: dependency, start time, pause after a refusal, its own limit. */
export function notNow(job: WaitingJob, nowMs: number): NotNow | null {
  if (job.dependency === 'unmet') return { kind: 'dependency', sentence: 'it waits for a job that it depends on' };
  const { startAfter } = job.spec;
  if (startAfter !== undefined && Date.parse(startAfter) > nowMs)
    return { kind: 'start_after', sentence: `it must not start before ${startAfter}` };
  if (job.notBeforeMs !== null && job.notBeforeMs > nowMs)
    return {
      kind: 'backoff',
      sentence: `its last attempt did not start or failed; the next one is made in ${seconds(job.notBeforeMs - nowMs)}`,
    };
  return allowance(job) > 0 ? null : atItsLimit(job);
}

/** How many tasks more may be out at once. */
export function allowance({ maxRunning, outTasks }: WaitingJob): number {
  return maxRunning === null ? Number.POSITIVE_INFINITY : maxRunning - outTasks;
}

export function atItsLimit({ maxRunning }: WaitingJob): NotNow {
  return { kind: 'max_running', sentence: `as many of its tasks as it allows (maxRunning ${maxRunning}) are out` };
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}
