import { difference, formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import type { Queryable } from './database.ts';
import { type LockedJob, lockJobs, saveJobs } from './locked-jobs.ts';
import { type LockedRun, saveRuns } from './locked-runs.ts';
import { notify } from './notify.ts';
import { refreshJob, settleRun } from './settle-run.ts';

/**
 * Ends runs as cluster_lost; the retry rules decide what follows. Should the cluster ever come back with one of them alive, it is told to
 * cancel it: `wanted` stays until the agent itself has seen the end.
 */
export async function giveUpRuns(client: Queryable, runIds: readonly string[], why: string): Promise<number> {
  if (runIds.length === 0) return 0;
  const jobs = [...(await lockJobs(client, { runIds })).values()];
  const nowMs = Date.now();
  const named = new Set(runIds);
  const givenUp = jobs.flatMap((job) =>
    [...job.runs.values()]
      .filter((run) => named.has(run.id) && run.state !== 'ended')
      .map((run) => giveUp(job, run, why, nowMs)),
  );
  for (const job of jobs) refreshJob(job, nowMs);
  await saveRuns(client, givenUp);
  await saveJobs(client, jobs);
  await notify(client, { t: 'events' }, { t: 'jobs' });
  return givenUp.length;
}

function giveUp(job: LockedJob, run: LockedRun, why: string, nowMs: number): LockedRun {
  const left = formatRangeSet(difference(run.tasks, run.endedTasks));
  const end = { outcome: 'failed' as const, reason: 'cluster_lost' as const, detail: why, tasks: left };
  const observation = {
    ...{ placed: run.placedAtMs !== null, started: '', startedAtMs: 0, ends: [end] },
    ...{ nativeId: '', nativeSubmittedAtMs: 0, nativeState: '', nativeReason: '', stdoutPath: '', stderrPath: '' },
  };
  const observed = { epoch: run.observedEpoch, counter: run.observedCounter, nowMs };
  const settled = { ...settleRun(job, run, observation, observed), wanted: 'cancel' as const };
  job.runs.set(run.id, settled);
  return settled;
}
