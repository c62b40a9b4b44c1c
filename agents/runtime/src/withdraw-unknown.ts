import { formatRangeSet, fromIndexes, MAX_INDEX } from '@switchyard/core/spec/range-set.ts';
import type { KnownRun, RunStatus } from './backend.ts';
import type { BackendState } from './backend-state.ts';
import { isYounger } from './state-birth.ts';

type Knowledge = Pick<BackendState, 'forgotten' | 'birthMs'> & {
  readonly store: Pick<BackendState['store'], 'removeUnstarted'>;
};

/**
 * A run that is forgotten, or was never offered here, or was lost with an earlier state directory. Without a directory nothing
 * of it can start from now on; but only if the run is younger than this state directory is it certain that nothing has. Then
 * a line in the daily log keeps it so, should its Offer still be on the way. Else its Offer must come first. A directory may be
 * there all the same: a crash took its `offer.json`, and a copy of it may wait in the cluster's queue.
 */
export async function withdrawUnknown(state: Knowledge, runId: string): Promise<RunStatus> {
  const gone = await state.forgotten.find(runId);
  if (gone) return gone.status;
  const started = await state.store.removeUnstarted(runId);
  const neverStarted = started.length === 0 && isYounger(runId, state.birthMs);
  const status: RunStatus = {
    runId,
    placementNumber: 0,
    placed: false,
    nativeId: '',
    nativeSubmittedAtMs: 0,
    nativeState: '',
    nativeReason: '',
    nativePool: '',
    started: formatRangeSet(fromIndexes(started)),
    startedAtMs: 0,
    // Nobody here knows which tasks it had: whoever asked takes those of the run.
    ends: neverStarted ? [{ outcome: 'withdrawn', tasks: `0-${MAX_INDEX}` }] : [],
    stdoutPath: '',
    stderrPath: '',
  };
  const order: KnownRun['order'] = {
    runId,
    placementNumber: 0,
    jobId: '',
    jobNumber: 0,
    attempt: 0,
    tasks: `0-${MAX_INDEX}`,
    specHash: '',
    pool: '',
    groupPath: '',
    owner: '',
    marker: '',
  };
  if (neverStarted) await state.forgotten.append([{ order, status, forgotten: true }]);
  return status;
}
