import type { Plan, Snapshot, Wait } from './snapshot.ts';

/** Why a job waits, as sentences for people: its place in the queue, what it waits for, then every cluster and what stands against it. */
export function explainWait(wait: Wait, snapshot: Pick<Snapshot, 'jobs'>): string[] {
  const ahead = snapshot.jobs.findIndex((job) => job.id === wait.jobId);
  const position = ahead < 0 ? [] : [positionOf(ahead)];
  const clusters = wait.refusals.map(
    ({ cluster, sentence, permanent }) =>
      `${cluster}: ${sentence}${permanent ? ', which waiting does not change' : ''}.`,
  );
  return [...position, headline(wait), ...clusters];
}

function positionOf(ahead: number): string {
  if (ahead === 0) return 'It is the first in the queue.';
  return ahead === 1 ? '1 job is before it in the queue.' : `${ahead} jobs are before it in the queue.`;
}

function headline({ kind, sentence, refusals }: Wait): string {
  if (refusals.length === 0) return capital(sentence);
  return kind === 'no_cluster_ever' ? 'No cluster can ever run it:' : 'No cluster can take it now:';
}

function capital(sentence: string): string {
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
}

/** Whether nothing can ever run the job, so that it is refused at the door. */
export function neverRuns(plan: Pick<Plan, 'waits'>, jobId: string): Wait | null {
  return plan.waits.find((wait) => wait.jobId === jobId && wait.kind === 'no_cluster_ever') ?? null;
}
