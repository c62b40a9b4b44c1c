import type { JobToAccept } from '../db/accept-jobs.ts';
import type { JobSummary } from '../db/job-summary.ts';

/** How a job looks at the moment it was stored: known without asking the database again. */
export function acceptedJob(job: JobToAccept, { number, createdAt }: { number: number; createdAt: Date }): JobSummary {
  const at = createdAt.toISOString();
  return {
    id: job.id,
    number,
    name: job.name,
    group: job.groupPath,
    owner: job.owner,
    state: job.held ? 'held' : 'queued',
    reason: null,
    detail: null,
    exitCode: null,
    signal: null,
    priority: job.priority,
    taskCount: job.taskCount,
    tasks: {
      queued: job.tasks,
      out: '',
      succeeded: '',
      failed: '',
      cancelled: '',
      counts: { queued: job.taskCount, out: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 },
    },
    isArray: job.isArray,
    cluster: null,
    nativeId: null,
    nativeState: null,
    nativeReason: null,
    unreachable: false,
    waitReason: null,
    createdAt: at,
    stateSince: at,
    startedAt: null,
    endedAt: null,
    labels: job.labels,
    stdoutPath: null,
    stderrPath: null,
  };
}
