import type { Observation } from '@switchyard/core/lifecycle/merge-observation.ts';
import type { Database, Queryable } from './database.ts';
import { holdSession } from './hold-session.ts';
import { inTransaction } from './in-transaction.ts';
import { type LockedJob, lockJobs, saveJobs } from './locked-jobs.ts';
import { type LockedRun, saveRuns } from './locked-runs.ts';
import { notify } from './notify.ts';
import type { Session } from './session.ts';
import { type Observed, refreshJob, settleRun } from './settle-run.ts';

export type RunObservation = Observation & {
  readonly runId: string;
  readonly placementNumber: number;
  readonly nativePool: string;
};

export type ObservationsApplied = {
  readonly accepted: readonly string[];
  /** Runs that the database does not know on this cluster. */
  readonly unknown: readonly string[];
};

/** Merges what an agent says of its runs, moves the jobs along and appends the events, in one transaction. Null: fenced. */
export function applyObservations(
  db: Database,
  session: Session,
  counter: number,
  observations: readonly RunObservation[],
): Promise<ObservationsApplied | null> {
  return inTransaction(db.system, async (client) => {
    const held = await holdSession(client, session);
    if (held === null) return null;
    const jobs = await lockJobs(client, { runIds: observations.map((observation) => observation.runId) });
    const observed = { epoch: session.sessionEpoch, counter, nowMs: held.nowMs };
    return settleAll(client, session.cluster, jobs, observations, observed);
  });
}

/** Merges observations into locked jobs and writes what changed. */
export async function settleAll(
  client: Queryable,
  cluster: string,
  jobs: ReadonlyMap<string, LockedJob>,
  observations: readonly RunObservation[],
  observed: Observed,
): Promise<ObservationsApplied> {
  const known = new Map(
    [...jobs.values()].flatMap((job) => [...job.runs.values()].map((run) => [run.id, job] as const)),
  );
  const changedRuns = new Map<string, LockedRun>();
  const changedJobs = new Set<LockedJob>();
  const unknown: string[] = [];
  for (const observation of observations) {
    const job = known.get(observation.runId);
    const run = job?.runs.get(observation.runId);
    if (!job || !run || run.cluster !== cluster) {
      unknown.push(observation.runId);
      continue;
    }
    const settled = settleRun(job, run, observation, observed);
    if (isSame(run, settled)) continue;
    changedRuns.set(run.id, settled);
    changedJobs.add(job);
  }
  const moved = [...changedJobs].filter((job) => {
    const before = job.state;
    refreshJob(job, observed.nowMs);
    return job.state !== before || job.newEvents.length > 0;
  });
  await saveRuns(client, [...changedRuns.values()]);
  await saveJobs(client, moved);
  if (moved.length > 0) await tell(client, moved, cluster);
  const missing = new Set(unknown);
  return { accepted: observations.map(({ runId }) => runId).filter((runId) => !missing.has(runId)), unknown };
}

/** Placement hears of room and of returned tasks, sessions of runs to forget, followers of events. */
async function tell(client: Queryable, moved: readonly LockedJob[], cluster: string): Promise<void> {
  const hasRoom = moved.some((job) => job.queued.length > 0 || job.endedAtMs !== null);
  await notify(client, { t: 'events' }, { t: 'runs', c: cluster }, ...(hasRoom ? [{ t: 'jobs' as const }] : []));
}

/** Later parts of the observation alone (epoch, counter) are worth a write only once per session. */
function isSame(before: LockedRun, after: LockedRun): boolean {
  if (before.observedEpoch !== after.observedEpoch) return false;
  return JSON.stringify({ ...before, observedCounter: 0 }) === JSON.stringify({ ...after, observedCounter: 0 });
}
