import { MAX_INDEX } from '@switchyard/core/spec/range-set.ts';
import type { KnownRun, RunStatus } from './backend.ts';
import type { BackendState } from './backend-state.ts';
import { isYounger } from './state-birth.ts';

/**
 * A run that is forgotten, or was never offered here, or was lost with an earlier state directory. Without a directory nothing
 * of it can start from now on; but only if the run is younger than this state directory is it certain that nothing has. Then
 * a line in the daily log keeps it so, should its Offer still be on the way. Else its Offer must come first.
 */
export async function withdrawUnknown(state: BackendState, runId: string): Promise<RunStatus> {
  const gone = await state.forgotten.find(runId);
  if (gone) return gone.status;
  const neverOffered = isYounger(runId, state.birthMs);
  const status: RunStatus = {
    runId,
    placementNumber: 0,
    placed: false,
    nativeId: '',
    nativeSubmittedAtMs: 0,
    nativeState: '',
    nativeReason: '',
    nativePool: '',
    started: '',
    startedAtMs: 0,
    // Nobody here knows which tasks it had: whoever asked takes those of the run.
    ends: neverOffered ? [{ outcome: 'withdrawn', tasks: `0-${MAX_INDEX}` }] : [],
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
  if (neverOffered) await state.forgotten.append([{ order, status, forgotten: true }]);
  return status;
}
