import type { Pod } from '../api-types.ts';
import { mayHaveStarted, type PodFacts } from '../facts/pod-facts.ts';
import { COMPLETION_INDEX_ANNOTATION } from '../names.ts';
import type { JobName } from '../start/job-claim.ts';
import { letPodsGo } from '../start/let-pods-go.ts';
import { podsToLetGo, START_GATE } from '../start/start-claim.ts';
import { inTurn, type KubeState, nameOf, type Tracked } from './kube-state.ts';
import { isStillWanted } from './still-wanted.ts';

/** Some of its pods are held back and may go. */
export function hasPodsToStart(run: Tracked): boolean {
  const { facts } = run;
  if (!facts.job || facts.job.suspended || facts.behind > 0) return false;
  if (facts.asked !== null || facts.cancelWanted || facts.eviction !== null) return false;
  const isHeld = [...facts.pods.values()].some((pod) => pod.gated && !pod.gone && pod.deletedAtMs === 0);
  return isHeld && podsToLetGo(knownPods(run), facts.jobUid).length > 0;
}

/** Lets pods start: one of each index, and of a queued run those of an admitted one. */
export function startPods(state: KubeState, run: Tracked): Promise<void> {
  return inTurn(run, () => claimAndStart(state, run));
}

async function claimAndStart(state: KubeState, run: Tracked): Promise<void> {
  const { facts } = run;
  if (facts.asked || facts.cancelWanted) return;
  const pods = knownPods(run);
  facts.letGo = true;
  // Nobody but Kueue suspends and resumes a Job: where it does not, the wish that stands on the Job is all that may hold its pods.
  const needsClaim = facts.job?.queue !== '';
  if (!needsClaim && !(await isStillWanted(state, run))) return;
  const verdict = await letPodsGo(state.client, nameOf(run), pods, { needsClaim });
  // The pods whose gate is off come by the watch; until they do, nothing is to be done for them again.
  if (verdict.kind === 'let_go')
    for (const uid of verdict.podUids) {
      const pod = facts.pods.get(uid);
      if (pod) facts.pods.set(uid, { ...pod, gated: false });
    }
  else run.notBefore.set('start', state.now() + 1000);
}

function knownPods(run: Tracked): Pod[] {
  return [...run.facts.pods.values()].filter(mayCount).map((pod) => podOf(nameOf(run), pod));
}

/**
 * The Job controller may make two pods of one index, when the answer to the first create got lost. What was let go has its index for
 * good, also when it is gone; unless it was deleted without a node, for then it can never have started.
 */
function mayCount(pod: PodFacts): boolean {
  return pod.gated ? !pod.gone : mayHaveStarted(pod);
}

function podOf({ namespace, name: jobName, uid: jobUid }: JobName, pod: PodFacts): Pod {
  return {
    metadata: {
      ...{ name: pod.name, namespace, uid: pod.uid, creationTimestamp: new Date(pod.createdAtMs).toISOString() },
      ...(pod.deletedAtMs > 0 ? { deletionTimestamp: new Date(pod.deletedAtMs).toISOString() } : {}),
      annotations: { [COMPLETION_INDEX_ANNOTATION]: String(pod.index) },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: jobName, uid: jobUid, controller: true }],
    },
    status: { phase: pod.phase },
    spec: { containers: [], ...(pod.gated ? { schedulingGates: [{ name: START_GATE }] } : {}) },
  };
}
