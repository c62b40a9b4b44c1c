import type { PodFacts } from '../facts/pod-facts.ts';
import { releasePod } from './kube-objects.ts';
import type { KubeState } from './kube-state.ts';

const AGAIN_MS = 2000;

/** A pod that was held, to be let out of the API once its fate was seen: deleted, or bound. */
export type Held = { readonly namespace: string; readonly name: string; readonly uid: string; notBeforeMs: number };

/** Called with every version of every pod of ours, whether its run is still known or not. */
export function noteHeld(state: KubeState, namespace: string, pod: PodFacts): void {
  const { name, uid } = pod;
  if (pod.gone || !pod.held) state.held.delete(uid);
  else if ((pod.deletedAtMs > 0 || pod.node !== '') && !state.held.has(uid)) {
    state.held.set(uid, { namespace, name, uid, notBeforeMs: 0 });
    state.wake();
  }
}

export function releaseHeld(state: KubeState): void {
  for (const pod of state.held.values()) if (state.now() >= pod.notBeforeMs) void release(state, pod);
}

async function release(state: KubeState, pod: Held): Promise<void> {
  pod.notBeforeMs = Number.POSITIVE_INFINITY;
  try {
    await state.deletes(async () => {
      if (!state.closed) await releasePod(state.client, pod);
    });
    state.held.delete(pod.uid);
  } catch (error) {
    pod.notBeforeMs = state.now() + AGAIN_MS;
    if (!state.closed) state.warn(`the pod ${pod.namespace}/${pod.name} is still held: ${(error as Error).message}`);
  }
}
