import { getJob } from '../get-job.ts';
import type { KubeState, Tracked } from './kube-state.ts';
import { takeKnown } from './sinks.ts';

/** The Job of a run that an earlier process made is read once: the list that showed it may be older than what that process wrote. */
export async function isStillWanted(state: KubeState, run: Tracked): Promise<boolean> {
  const { facts } = run;
  if (!run.isRead) {
    const job = await getJob(state.client, { namespace: facts.namespace, name: facts.order.marker });
    if (job === null || !takeKnown(state, run, facts.namespace, job)) run.missing = true;
    else run.isRead = true;
  }
  return run.isRead && facts.asked === null && !facts.cancelWanted;
}
