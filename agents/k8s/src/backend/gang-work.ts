import { parseMarker } from '@switchyard/core/spec/marker.ts';
import type { Pod } from '../api-types.ts';
import { whatIsMissing } from '../facts/gang.ts';
import { podFacts } from '../facts/pod-facts.ts';
import type { RunFacts } from '../facts/run-facts.ts';
import { headlessService } from '../manifest/headless-service.ts';
import { goWaitSeconds } from '../manifest/launcher.ts';
import { FEDERATION_LABEL, JOB_LABEL, MANAGED_BY, MANAGED_BY_LABEL, RUN_LABEL } from '../names.ts';
import { createService, getPod, letPodGo } from './kube-objects.ts';
import { inTurn, type KubeState, type Tracked } from './kube-state.ts';
import { takePod } from './sinks.ts';
import { isStillWanted } from './still-wanted.ts';
import { takeBack } from './take-back.ts';

const TRIES = 10;

/** The Service by which the nodes of a gang find each other; it belongs to the Job and goes with it. */
export async function nameNodes(state: KubeState, run: Tracked): Promise<void> {
  const { namespace, order, jobUid: uid } = run.facts;
  const labels = {
    [MANAGED_BY_LABEL]: MANAGED_BY,
    [FEDERATION_LABEL]: parseMarker(order.marker)?.federation ?? '',
    [RUN_LABEL]: order.runId,
    [JOB_LABEL]: String(order.jobNumber),
  };
  const metadata = { name: order.marker, namespace, uid, labels };
  await createService(state.client, headlessService({ metadata, spec: { template: { spec: { containers: [] } } } }));
  run.hasService = true;
}

/**
 * Lets a gang go, all of whose pods are up. From the first pod that hears it the gang has started; each is told under the
 * precondition of its version, so that a word that comes late never reaches a pod that was taken back meanwhile.
 */
export function letGangGo(state: KubeState, run: Tracked): Promise<void> {
  return inTurn(run, async () => {
    const { facts } = run;
    const told = [...facts.pods.values()].find(({ goAtMs }) => goAtMs > 0);
    if (facts.asked || facts.cancelWanted) return;
    if (!told && !(await isStillWanted(state, run))) return;
    const silent = [...facts.pods.values()].filter(
      (pod) => pod.goAtMs === 0 && !pod.gated && !pod.gone && pod.deletedAtMs === 0,
    );
    const at = new Date(told && told.goAtMs > 1 ? told.goAtMs : state.now()).toISOString();
    const seen = await Promise.all(
      silent.map(({ name }) => getPod(state.client, { namespace: facts.namespace, name })),
    );
    for (const pod of seen) if (pod) takePod(state, pod);
    // The first words only if all of them are up still; once one was told, the others follow.
    if (!told && !seen.every((pod) => pod && isUp(state, pod))) return;
    await Promise.all(seen.map((pod) => pod && tell(state, run, pod, at)));
  });
}

async function tell(state: KubeState, run: Tracked, first: Pod, at: string): Promise<void> {
  let pod: Pod | null = first;
  for (let tries = 0; tries < TRIES && pod; tries += 1) {
    const place = { namespace: run.facts.namespace, name: pod.metadata.name };
    const after = await letPodGo(state.client, place, pod, { at, deadlineSeconds: deadline(state, run, pod) });
    if (after) return takePod(state, after);
    pod = await getPod(state.client, place);
    if (pod) takePod(state, pod);
    if (pod?.metadata.uid !== first.metadata.uid || pod?.metadata.deletionTimestamp) return;
  }
}

/**
 * The pods' clocks ran while they waited for each other: the walltime counts from now. How long they have run is known by the times of
 * their node, whose clock may be ahead, and by what this agent has seen of them, which may be too little.
 */
function deadline({ config, now }: KubeState, { facts }: Tracked, { metadata, spec, status }: Pod): number | null {
  const takenAtMs = Date.parse(status?.startTime ?? '');
  if (spec.activeDeadlineSeconds === undefined || Number.isNaN(takenAtMs)) return null;
  const boundSinceMs = facts.pods.get(metadata.uid ?? '')?.boundSinceMs ?? Infinity;
  const walltime = spec.activeDeadlineSeconds - goWaitSeconds(config.gangSeconds);
  const sofar = Math.max(0, Math.ceil((now() - Math.min(takenAtMs, boundSinceMs)) / 1000));
  return walltime > 0 && sofar + walltime < spec.activeDeadlineSeconds ? sofar + walltime : null;
}

function isUp({ now }: KubeState, pod: Pod): boolean {
  const facts = podFacts(pod, now());
  return facts !== null && facts.container.kind === 'running' && facts.deletedAtMs === 0;
}

/** Some of its pods wait for the others, for too long or in another gang's way: all go back, with the reason. */
export function giveBackGang(state: KubeState, run: Tracked, first: RunFacts | null): Promise<void> {
  const { facts } = run;
  const why =
    first === null ? `within ${state.config.gangSeconds} s` : `and job ${first.order.jobNumber} waits for their nodes`;
  facts.backReason ||= `its pods were not up together ${why}: ${whatIsMissing(facts)}`;
  return takeBack(state, run, first === null ? 'give back' : 'give way');
}
