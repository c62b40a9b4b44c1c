import type { NewRun } from './insert-runs.ts';
import type { LockedRun } from './locked-runs.ts';

/** A run that was inserted just now, as it would be read back. */
export function newLockedRun({
  id,
  jobId,
  cluster,
  attempt,
  placementNumber,
  tasks,
  wanted = null,
}: NewRun): LockedRun {
  return {
    ...{ id, jobId, cluster, attempt, placementNumber, tasks, wanted },
    ...{ state: 'offered', started: [], endedTasks: [], ends: [], outcome: null, reason: null },
    ...{
      nativeId: null,
      nativeSubmittedAtMs: null,
      nativeState: null,
      nativeReason: null,
      stdoutPath: null,
      stderrPath: null,
    },
    // Offered now: later than whatever its job has waited for.
    offeredAtMs: Number.MAX_SAFE_INTEGER,
    ...{ observedEpoch: 0, observedCounter: 0, placedAtMs: null, startedAtMs: null, endedAtMs: null },
  };
}
