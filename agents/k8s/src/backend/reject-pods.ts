import type { Pod } from '../api-types.ts';
import type { PodFacts } from '../facts/pod-facts.ts';
import { podFacts } from '../facts/pod-facts.ts';
import { noteEnd, taskOfIndex } from '../facts/run-facts.ts';
import { CONTAINER } from '../names.ts';
import { deletePod, getPod } from './kube-objects.ts';
import { inTurn, type KubeState, noteChange, type Tracked } from './kube-state.ts';
import { takePod } from './sinks.ts';

/** Fails the tasks whose container cannot be made: an image that nobody can pull would be waited for for ever. */
export function rejectPods(state: KubeState, run: Tracked, inTrouble: () => readonly PodFacts[]): Promise<void> {
  return inTurn(run, async () => {
    for (const { name, uid } of inTrouble()) {
      const pod = await getPod(state.client, { namespace: run.facts.namespace, name });
      if (pod?.metadata.uid !== uid) run.missing = true;
      else await reject(state, run, pod);
    }
    noteChange(state, run);
  });
}

async function reject(state: KubeState, run: Tracked, pod: Pod): Promise<void> {
  const seen = podFacts(pod, state.now());
  const { facts } = run;
  takePod(state, pod);
  if (seen === null || seen.troubleSinceMs === 0 || seen.container.kind !== 'waiting') return;
  const { namespace } = facts;
  const { name, uid, resourceVersion } = seen;
  const answer = await deletePod(state.client, { namespace, name, uid, resourceVersion });
  if (answer === 'changed') return;
  const task = taskOfIndex(facts, seen.index);
  const image = pod.spec.containers.find((each) => each.name === CONTAINER)?.image ?? '';
  const { reason, message } = seen.container;
  const detail = `image '${image}': ${reason}: ${message}`;
  if (task !== null)
    noteEnd(facts, facts.gang > 0 ? facts.tasks : [[task, task]], { outcome: 'failed', reason: 'rejected', detail });
  if (answer !== 'gone') takePod(state, answer);
  if (facts.gang > 0) await removeOthers(state, run);
}

/** The rest of a gang would wait for its turn until the launchers give up. */
async function removeOthers(state: KubeState, { facts }: Tracked): Promise<void> {
  const { namespace } = facts;
  for (const { name, uid, gone, deletedAtMs } of facts.pods.values())
    if (!gone && deletedAtMs === 0) await deletePod(state.client, { namespace, name, uid });
}
