import type { Job } from '../api/api-types.ts';
import { age } from './age.ts';

export const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);

/** Why a job is as it is, in a few words: how it ended, or what it waits for. */
export function reasonWords(job: Job): string {
  if (ENDED.has(job.state)) return endWords(job) ?? '';
  if (job.unreachable) return 'cluster out of sight, last known state';
  if (job.state === 'running') return '';
  return job.waitReason ?? job.nativeReason ?? '';
}

/** `job 42 failed on north with exit code 3 after 12s` */
export function endSentence(job: Job): string {
  const where = job.cluster ? ` on ${job.cluster}` : '';
  const how = endWords(job);
  return `job ${job.number} ${job.state}${where}${how ? ` (${how})` : ''}${tookWords(job)}${taskWords(job)}`;
}

/** `40 of 500 tasks succeeded, 2 failed (3,17)`, for arrays. */
export function taskWords({ isArray, taskCount, tasks }: Job): string {
  if (!isArray) return '';
  const failed = tasks.counts.failed > 0 ? `, ${tasks.counts.failed} failed: ${tasks.failed}` : '';
  const cancelled = tasks.counts.cancelled > 0 ? `, ${tasks.counts.cancelled} cancelled` : '';
  return `; ${tasks.counts.succeeded} of ${taskCount} tasks succeeded${failed}${cancelled}`;
}

function endWords({ reason, exitCode, signal }: Job): string | null {
  if (reason === 'exit_code') return `exit code ${exitCode ?? 'unknown'}`;
  if (reason === 'signal') return `signal ${signal ?? 'unknown'}`;
  return reason === null ? null : (words[reason] ?? reason.replaceAll('_', ' '));
}

const words: Readonly<Record<string, string>> = {
  walltime: 'time limit reached',
  node_failure: 'its node failed',
  rejected: 'refused by the cluster',
  cluster_lost: 'its cluster was lost',
  dependency: 'a job it depends on ended otherwise',
  deadline: 'could not start before its deadline',
  cancelled_by_user: 'by its owner',
  cancelled_by_admin: 'by an administrator',
  cancelled_natively: 'in the cluster itself',
  unknown_end: 'its end is not known',
};

function tookWords({ startedAt, endedAt }: Job): string {
  if (!startedAt || !endedAt) return '';
  return ` after ${age(Date.parse(endedAt) - Date.parse(startedAt))}`;
}
