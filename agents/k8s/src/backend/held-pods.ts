import { contains } from '@switchyard/core/spec/range-set.ts';
import type { PodFacts } from '../facts/pod-facts.ts';
import { taskOfIndex } from '../facts/run-facts.ts';
import { releasePod } from './kube-objects.ts';
import type { KubeState } from './kube-state.ts';

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 300_000;

/** A pod that is being deleted and stays in the API until this agent lets it out. */
export type Held = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly runId: string;
  notBeforeMs: number;
  failures: number;
};

/** Called with every version of every pod of ours, whether its run is still known or not. */
export function noteHeld(state: KubeState, namespace: string, runId: string, pod: PodFacts): void {
  const { name, uid } = pod;
  if (pod.gone) state.held.delete(uid);
  else if (pod.held && pod.deletedAtMs > 0 && !state.held.has(uid)) {
    state.held.set(uid, { namespace, name, uid, runId, notBeforeMs: 0, failures: 0 });
    state.wake();
  }
}

export function releaseHeld(state: KubeState): void {
  for (const pod of state.held.values())
    if (state.now() >= pod.notBeforeMs && isToldElsewhere(state, pod)) void release(state, pod);
}

/** Without a node it has not started, as its Job says from before; that another one has must stand on its Job before it goes. */
function isToldElsewhere({ runs }: KubeState, { runId, uid }: Held): boolean {
  const facts = runs.get(runId)?.facts;
  const pod = facts?.pods.get(uid);
  if (!facts || !pod || pod.node === '' || facts.job === null || facts.jobGone) return true;
  const task = taskOfIndex(facts, pod.index);
  return task === null || contains(facts.job.lost, task);
}

async function release(state: KubeState, pod: Held): Promise<void> {
  pod.notBeforeMs = Number.POSITIVE_INFINITY;
  try {
    await state.deletes(async () => {
      if (!state.closed) await releasePod(state.client, pod);
    });
    state.held.delete(pod.uid);
  } catch (error) {
    pod.notBeforeMs = state.now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** pod.failures);
    pod.failures += 1;
    if (!state.closed) state.warn(`the pod ${pod.namespace}/${pod.name} is still held: ${(error as Error).message}`);
  }
}
