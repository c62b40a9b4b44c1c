import { isLeaving } from '../facts/pod-facts.ts';
import { hasEnded } from '../facts/run-facts.ts';
import { deleteJob, deletePod } from './kube-objects.ts';
import { inTurn, type KubeState, mayDeleteJobs, type Tracked } from './kube-state.ts';
import { takePod } from './sinks.ts';

/**
 * Ends what has started, and with an array what has no pod yet. Pods are deleted one by one, for their Job keeps the name taken;
 * the Job of an array goes with them as soon as no late copy of its create can follow.
 */
export function killRun(state: KubeState, run: Tracked): Promise<void> {
  run.killedAtMs = state.now();
  return inTurn(run, async () => {
    const { facts } = run;
    if (hasEnded(facts) || facts.jobUid === '') return;
    const { namespace, order, jobUid: uid } = facts;
    const alive = [...facts.pods.values()].filter((pod) => !isLeaving(pod));
    await Promise.all(
      alive.map(async ({ name, uid: podUid }) => {
        const answer = await deletePod(state.client, { namespace, name, uid: podUid });
        if (answer === 'gone') run.missing = true;
        else if (answer !== 'changed') takePod(state, answer);
      }),
    );
    if (facts.isArray && !facts.job?.deleting && mayDeleteJobs(state, run))
      await deleteJob(state.client, { namespace, name: order.marker, uid }, 'Foreground');
  });
}
