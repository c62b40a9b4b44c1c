import { setTimeout as delay } from 'node:timers/promises';
import { difference, formatRangeSet, fromIndexes, intersection, union } from '@switchyard/core/spec/range-set.ts';
import type { Pod } from '../api-types.ts';
import { isLetGo } from '../facts/gang.ts';
import { type Asked, jobFacts } from '../facts/job-facts.ts';
import { notStarted } from '../facts/pod-end.ts';
import { isLeaving, isOver, type PodFacts } from '../facts/pod-facts.ts';
import { hasEnded, noteEnd, openTasks, type RunFacts, taskOfIndex } from '../facts/run-facts.ts';
import { settleRun } from '../facts/settle-run.ts';
import { getJob } from '../get-job.ts';
import { startClaimOf } from '../start/start-claim.ts';
import { deletePod, holdPod, isKube, listPods, noteAsked, noteLost } from './kube-objects.ts';
import { inTurn, type KubeState, noteChange, type Tracked } from './kube-state.ts';
import { takeKnown, takePod } from './sinks.ts';

const LOOK_EVERY_MS = 150;
const CHANGED_MS = 50;
/** A pod may change again and again while the kubelet reports on it. */
const MOST_LOOKS = 40;

/**
 * Takes what has not started away from the cluster, so that it never can: unbound pods, each exactly as it was seen, so that a
 * binding in between wins. What is bound stays; so does what has no pod yet, until the next call. Of a gang nothing has started
 * before its first pod was let go, so that all of its pods go, bound or not.
 */
export function takeBack(state: KubeState, run: Tracked, asked: Asked): Promise<void> {
  return inTurn(run, async () => {
    try {
      if (!(await writeDown(state, run, asked))) return;
      await takePodsBack(state, run);
      await writeLost(state, run);
    } finally {
      settle(state, run);
    }
  });
}

/** An agent that starts again between the deletion and its report must know why the pods are gone. */
async function writeDown(state: KubeState, run: Tracked, asked: Asked): Promise<boolean> {
  const { facts } = run;
  if (hasEnded(facts) || facts.jobUid === '' || facts.jobGone || facts.job?.finished) return false;
  // A gang that is being let go has started; a second wish changes nothing, but that the user wants it cancelled.
  if (facts.gang > 0 && isLetGo(facts)) return false;
  if (facts.asked === asked || (facts.asked !== null && asked !== 'cancel')) return true;
  const { namespace, order, jobUid: uid } = facts;
  const job = await noteAsked(state.client, { namespace, name: order.marker, uid }, asked);
  if (job === null || !takeKnown(state, run, namespace, job)) {
    run.missing = true;
    return false;
  }
  facts.asked = asked;
  return true;
}

/** After a restart the pods of what had started may be gone too, and must not be taken for taken back. */
async function writeLost(state: KubeState, run: Tracked): Promise<void> {
  const { facts } = run;
  if (facts.gang > 0 || facts.job === null || facts.jobGone) return;
  const bound = [...facts.pods.values()].filter(({ node }) => node !== '');
  const started = intersection(
    openTasks(facts),
    fromIndexes(bound.flatMap((pod) => taskOfIndex(facts, pod.index) ?? [])),
  );
  if (difference(started, facts.job.lost).length === 0) return;
  const { namespace, order, jobUid: uid } = facts;
  const lost = formatRangeSet(union(facts.job.lost, started));
  const job = await noteLost(state.client, { namespace, name: order.marker, uid }, lost);
  if (job !== null) takeKnown(state, run, namespace, job);
}

async function takePodsBack(state: KubeState, run: Tracked): Promise<void> {
  const { facts } = run;
  const untilMs = state.now() + state.patience.firstPodMs;
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    for (const pod of await listPods(state.client, facts.namespace, facts.jobUid)) takePod(state, pod);
    if (facts.gang > 0 && isLetGo(facts)) return;
    const results = await Promise.all(removable(facts).map((pod) => remove(state, run, pod)));
    settle(state, run);
    if (results.includes('changed')) {
      await delay(CHANGED_MS);
      continue;
    }
    if (facts.gang > 0 && facts.pods.size > 0) return gangIsBack(run);
    while (!hasEnded(facts) && removable(facts).length === 0 && isAboutToShow(facts)) {
      if (state.now() >= untilMs || state.closed) return takePodlessBack(state, facts);
      await delay(LOOK_EVERY_MS);
      settle(state, run);
    }
    if (hasEnded(facts) || removable(facts).length === 0) return takePodlessBack(state, facts);
  }
}

/**
 * Tasks whose pods are yet to be made, and will be held back by a gate that nobody takes away any more. The Job's own
 * count shows whether the list of its pods was an old one.
 */
async function takePodlessBack(state: KubeState, facts: RunFacts): Promise<void> {
  if (facts.gang > 0 || !facts.job?.gated || facts.asked === null || hasEnded(facts)) return;
  const job = await getJob(state.client, { namespace: facts.namespace, name: facts.order.marker });
  if (job?.metadata.uid !== facts.jobUid) return;
  // Kueue removes the pods of a start that it takes back, and no count of the Job shows them.
  const claim = startClaimOf(job);
  if (claim.kind === 'started' && (job.spec.suspend || claim.generation !== jobFacts(job).generation)) return;
  const { active = 0, terminating = 0, succeeded = 0, failed = 0 } = job.status ?? {};
  if (facts.pods.size < active + terminating + succeeded + failed) return;
  const withPods = fromIndexes([...facts.pods.values()].flatMap((pod) => taskOfIndex(facts, pod.index) ?? []));
  const mayHaveRun = union(withPods, facts.started, facts.job.lost);
  noteEnd(facts, difference(openTasks(facts), mayHaveRun), notStarted(facts.asked));
}

/** Alive, and surely not started. */
function removable(facts: RunFacts): PodFacts[] {
  const alive = [...facts.pods.values()].filter((pod) => !isLeaving(pod));
  return facts.gang > 0 ? alive : alive.filter(({ node }) => node === '');
}

/**
 * A pod that was let go may get a node at any time, and without one it is gone soon after it was deleted. It is held first: if the
 * answer gets lost, and the word of the watch too, it is still there to be seen. Of a gang the word to go says whether it started.
 */
async function remove(state: KubeState, run: Tracked, seen: PodFacts): Promise<'removed' | 'changed'> {
  const { gang, letGo, namespace } = run.facts;
  const { name, uid } = seen;
  const pod = { namespace, name, uid, resourceVersion: seen.resourceVersion };
  if (gang === 0 && (letGo || !seen.gated) && !seen.held) {
    const held = await hold(state, pod);
    if (held === 'changed') return 'changed';
    if (held !== 'refused') pod.resourceVersion = held.metadata.resourceVersion ?? '';
  }
  const answer = await deletePod(state.client, pod);
  if (answer === 'changed') return 'changed';
  if (answer === 'gone') run.missing = true;
  else takePod(state, answer);
  return 'removed';
}

/** A policy that came after the pod was made may refuse every change of it, but for its deletion. */
async function hold(state: KubeState, pod: Parameters<typeof holdPod>[1]): Promise<Pod | 'changed' | 'refused'> {
  try {
    const held = await holdPod(state.client, pod);
    if (held !== null) takePod(state, held);
    return held ?? 'changed';
  } catch (error) {
    if (isKube(error, 'invalid') || isKube(error, 'forbidden')) return 'refused';
    throw error;
  }
}

/** Every pod that there was is being deleted without the word to go, and no later one gets it. */
function gangIsBack({ facts }: Tracked): void {
  const all = [...facts.pods.values()];
  const isBack = all.every((pod) => pod.goAtMs === 0 && (pod.deletedAtMs > 0 || pod.gone || isOver(pod)));
  if (isBack && (facts.asked === 'withdraw' || facts.asked === 'cancel'))
    noteEnd(facts, openTasks(facts), notStarted(facts.asked));
}

/**
 * The Job controller makes the pods of a fresh Job within a moment, unless they are refused or the Job is suspended; and what is
 * bound starts soon after. Whoever asks wants to know which it is.
 */
function isAboutToShow(facts: RunFacts): boolean {
  const { job, createFailure, pods } = facts;
  if (job?.suspended || job?.finished) return false;
  if (pods.size === 0) return createFailure === null;
  return [...pods.values()].some(
    (pod) =>
      pod.node !== '' && !pod.gone && ['none', 'waiting'].includes(pod.container.kind) && pod.troubleSinceMs === 0,
  );
}

function settle(state: KubeState, run: Tracked): void {
  settleRun(run.facts, { nowMs: state.now(), lostNodeMs: state.config.lostNodeSeconds * 1000 });
  noteChange(state, run);
}
