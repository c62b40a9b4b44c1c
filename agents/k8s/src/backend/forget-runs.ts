import type { KnownRun } from '@switchyard/agent-runtime/backend.ts';
import { hasEnded, statusOf } from '../facts/run-facts.ts';
import { doom } from './doomed-jobs.ts';
import { deletePod } from './kube-objects.ts';
import type { KubeState, Tracked } from './kube-state.ts';

/** Ended runs leave a line in the log, and then the cluster; gives those that are not known here any more. */
export async function forgetRuns(state: KubeState, runIds: readonly string[]): Promise<string[]> {
  const known = runIds.flatMap((runId) => state.runs.get(runId) ?? []);
  const ended = known.filter(({ facts }) => hasEnded(facts));
  await state.forgotten.append(ended.map((run) => knownRun(run, true)));
  for (const run of ended) {
    const { order, namespace, jobUid, jobGone } = run.facts;
    state.runs.delete(order.runId);
    state.byJobUid.delete(jobUid);
    state.changed.delete(order.runId);
    state.dirty.delete(order.runId);
    state.due.delete(order.runId);
    if (jobGone) void removeLeftPods(state, run);
    else doom(state, { namespace, name: order.marker, uid: jobUid }, run);
  }
  const kept = new Set(known.filter(({ facts }) => !hasEnded(facts)).map(({ facts }) => facts.order.runId));
  return runIds.filter((runId) => !kept.has(runId));
}

/** All runs known here, and the forgotten ones above the number. */
export async function inventory(state: KubeState, forgottenAbove: number): Promise<KnownRun[]> {
  const known = [...state.runs.values()].map((run) => knownRun(run, false));
  const forgotten = await state.forgotten.above(forgottenAbove);
  return [...known, ...forgotten.filter(({ order }) => order.jobId !== '' && !state.runs.has(order.runId))];
}

function knownRun({ facts }: Tracked, forgotten: boolean): KnownRun {
  return { order: facts.order, status: statusOf(facts), forgotten };
}

/** Pods whose Job was deleted without them: nothing else would ever remove them. */
async function removeLeftPods(state: KubeState, { facts }: Tracked): Promise<void> {
  const left = [...facts.pods.values()].filter((pod) => !pod.gone && pod.deletedAtMs === 0);
  for (const { name, uid } of left)
    await deletePod(state.client, { namespace: facts.namespace, name, uid }).catch((error: Error) =>
      state.warn(`the pod ${facts.namespace}/${name} could not be deleted: ${error.message}`),
    );
}
