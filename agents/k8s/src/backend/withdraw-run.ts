import { setTimeout as delay } from 'node:timers/promises';
import type { RunStatus } from '@switchyard/agent-runtime/backend.ts';
import { notStarted } from '../facts/pod-end.ts';
import { hasEnded, noteEnd, openTasks, statusOf } from '../facts/run-facts.ts';
import { inBackground, isRested } from './background.ts';
import { killRun } from './kill-run.ts';
import { deleteJob, deletePod, listPods, noteAsked } from './kube-objects.ts';
import { inTurn, type KubeState, mayDeleteJobs, noteChange, type Tracked, touch } from './kube-state.ts';
import { takeOrphan } from './sinks.ts';
import { takeBack } from './take-back.ts';

/** Afterwards every task has started, or never will, or is still open: then this is asked again. */
export async function withdrawRun(state: KubeState, run: Tracked): Promise<RunStatus> {
  await takeAway(state, run, 'withdraw');
  return statusOf(run.facts);
}

/** As withdrawn, and what has started is killed; its end is seen by its pods. */
export async function cancelRun(state: KubeState, run: Tracked): Promise<RunStatus> {
  const { facts } = run;
  const isFirst = !facts.cancelWanted;
  facts.cancelWanted = true;
  await takeAway(state, run, 'cancel');
  if (isFirst && !hasEnded(facts) && isRested(run, 'kill', state.now()))
    inBackground(state, run, 'kill', () => killRun(state, run));
  touch(state, run);
  return statusOf(facts);
}

async function takeAway(state: KubeState, run: Tracked, asked: 'withdraw' | 'cancel'): Promise<void> {
  const { facts } = run;
  if (hasEnded(facts) || !facts.placed) return;
  if ((await state.queues.withdraw(run)) === 'withdrawn') {
    noteEnd(facts, openTasks(facts), notStarted(asked));
    noteChange(state, run);
    touch(state, run);
    return;
  }
  await takeBack(state, run, asked);
  if (!hasEnded(facts) && isRefusedPods(state, run) && isRested(run, 'give up', state.now()))
    inBackground(state, run, 'give up', () => giveUpJob(state, run, asked));
}

/** A Job that never had a pod, because its pods are refused, and this for long enough that none is on its way. */
function isRefusedPods(state: KubeState, run: Tracked): boolean {
  const { createFailure, pods, jobUid, jobGone } = run.facts;
  if (createFailure === null || pods.size > 0 || jobUid === '' || jobGone) return false;
  return state.now() - createFailure.sinceMs >= state.patience.refusedPodsMs && mayDeleteJobs(state, run);
}

/**
 * Deletes the Job without its pods, so that none that was made in this very moment is ended by us; whatever appears for a while
 * after is taken back if it is unbound, and has started if it is bound.
 */
async function giveUpJob(state: KubeState, run: Tracked, asked: 'withdraw' | 'cancel'): Promise<void> {
  await inTurn(run, async () => {
    const { namespace, order, jobUid: uid } = run.facts;
    const job = { namespace, name: order.marker, uid };
    await noteAsked(state.client, job, asked);
    run.facts.asked = asked;
    if (!(await deleteJob(state.client, job, 'Orphan'))) return;
    const untilMs = state.now() + state.patience.quarantineMs;
    for (;;) {
      for (const pod of await listPods(state.client, namespace, uid)) {
        takeOrphan(state, run, pod);
        const { name, uid: podUid = '', resourceVersion = '' } = pod.metadata;
        if (!pod.spec.nodeName && !pod.metadata.deletionTimestamp) {
          const answer = await deletePod(state.client, { namespace, name, uid: podUid, resourceVersion });
          if (typeof answer === 'object') takeOrphan(state, run, answer);
        }
      }
      if (state.now() >= untilMs || state.closed) break;
      await delay(Math.min(1000, state.patience.quarantineMs / 4));
    }
    if (state.closed) return;
    run.facts.jobGone = true;
    run.facts.podsConfirmed = true;
  });
}
