import type { BackendState } from './backend-state.ts';
import { endOfClaim } from './end-of-claim.ts';
import { noteEnd, noteStart, type TrackedRun } from './tracked-run.ts';

/** Notes what the claims of these tasks say of starts and of our own ends; recorded ends wait for the cluster's word. */
export async function readClaims(state: BackendState, run: TrackedRun, tasks: readonly number[]): Promise<void> {
  await Promise.all(
    tasks.map(async (task) => {
      const claim = await state.store.read(run.order.runId, task);
      if (claim === null) return;
      if (claim.record.by === 'wrapper') noteStart(run, task, claim.record);
      else noteEnd(run, [task], endOfClaim(claim));
    }),
  );
}
