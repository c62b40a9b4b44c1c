import type { End } from '@switchyard/core/lifecycle/evidence.ts';
import { notStarted, type PodSetting, podEnd } from './pod-end.ts';
import { isLeaving, isOver, type PodFacts, wentUnseen } from './pod-facts.ts';
import { noteEnd, noteStart, type RunFacts } from './run-facts.ts';

/** A gang is one task: it starts when its pods are let go, and ends when the last of them has. */
export function settleGang(run: RunFacts, setting: PodSetting): void {
  const pods = [...run.pods.values()];
  const goAtMs = Math.min(...pods.flatMap(({ goAtMs }) => (goAtMs > 0 ? [goAtMs] : [])));
  const task = run.tasks[0]?.[0];
  if (task === undefined || pods.length === 0) return;
  if (goAtMs !== Infinity) noteStart(run, task, goAtMs);
  const ends = pods.map((pod) => podEnd(pod, setting));
  if (goAtMs === Infinity) {
    const isOver = setting.asked !== null || ends.every((end) => end !== null);
    if (isOver && pods.every(isAway)) noteEnd(run, run.tasks, neverLetGo(run, ends, setting));
    return;
  }
  // A second pod of an index stays behind its gate and says nothing.
  const told = pods.filter(({ gated }) => !gated);
  const known = told.flatMap((pod) => podEnd(pod, setting) ?? []);
  // What is left of it after a failure the Job controller ends; but to it a pod whose node is lost has not failed.
  run.lostPart = known.length < told.length && known.some(({ reason }) => reason === 'node_failure');
  if (known.length === told.length)
    noteEnd(run, run.tasks, { ...worst(known), startedAtMs: goAtMs, ...lastEnd(known) });
}

/** Pods that run and could be let go: all of them, once each, none on its way out. */
export function isWhole(run: RunFacts): boolean {
  const up = [...run.pods.values()].filter((pod) => pod.container.kind === 'running' && !isLeaving(pod));
  return run.gang > 0 && new Set(up.map(({ index }) => index)).size === run.gang;
}

export function isLetGo(run: RunFacts): boolean {
  return [...run.pods.values()].some(({ goAtMs }) => goAtMs > 0);
}

/** All of its pods are known, and none was let go or went away unseen. */
export function isGangUnstarted(run: RunFacts): boolean {
  const pods = [...run.pods.values()];
  const known = new Set(pods.map(({ index }) => index)).size;
  return !pods.some((pod) => pod.goAtMs > 0 || wentUnseen(pod)) && (run.madeHere || known === run.gang);
}

/** When the wait for the rest of the gang began, as far as this agent saw it; 0: none of it has a node. */
export function firstBoundMs(run: RunFacts): number {
  const times = [...run.pods.values()].flatMap((pod) => (pod.node !== '' && !pod.gone ? [pod.boundSinceMs] : []));
  return times.length === 0 ? 0 : Math.min(...times);
}

/** Which pods are not up and why, in a sentence. */
export function whatIsMissing(run: RunFacts): string {
  const pods = [...run.pods.values()].filter((pod) => !isLeaving(pod)).sort((left, right) => left.index - right.index);
  const up = pods.filter(({ container }) => container.kind === 'running');
  const waiting = pods
    .filter(({ container }) => container.kind !== 'running')
    .map((pod) => `${pod.name}: ${reasonOf(pod)}`);
  const unmade = run.gang - pods.length;
  const notMade = unmade > 0 ? [`${unmade} not made: ${run.createFailure?.message || 'no reason is known'}`] : [];
  return `${up.length} of ${run.gang} pods are up; ${[...waiting, ...notMade].join('; ')}`;
}

function reasonOf({ unschedulable, container, node }: PodFacts): string {
  if (node === '') return unschedulable || 'not yet scheduled';
  return container.kind === 'waiting' ? container.message || container.reason : 'being made';
}

/** Nothing of it can be let go any more. */
function isAway(pod: PodFacts): boolean {
  return pod.gone || isOver(pod) || (pod.node === '' && pod.deletedAtMs > 0);
}

/** No payload of it has started, whatever became of its pods. */
function neverLetGo(run: RunFacts, ends: readonly (End | null)[], { asked }: PodSetting): End {
  if (asked === 'give back' || asked === 'give way')
    return { ...notStarted(asked), ...(run.backReason ? { detail: run.backReason } : {}) };
  if (asked) return notStarted(asked);
  // The Job controller deletes the others when one of them fails.
  const first = ends.find((end) => end !== null && end.outcome !== 'cancelled') ?? ends[0];
  if (first?.outcome === 'cancelled')
    return { outcome: 'cancelled', reason: 'cancelled_natively', detail: first.detail ?? 'somebody deleted its pods' };
  const why = first?.detail ?? `one of them ended with ${first?.exitCode ?? first?.signal ?? first?.outcome}`;
  return { outcome: 'refused', reason: 'rejected', detail: `its pods were never up together: ${why}` };
}

/** The end of the one that failed first: the others are then ended by the Job controller, and that says nothing. */
function worst(ends: readonly End[]): End {
  const failed = ends.filter(({ outcome }) => outcome === 'failed');
  const cancelled = ends.filter(({ outcome }) => outcome === 'cancelled');
  const byUser = cancelled.find(({ reason }) => reason === 'cancelled_by_user');
  if (byUser) return byUser;
  const first = failed.sort((left, right) => (left.endedAtMs ?? Infinity) - (right.endedAtMs ?? Infinity))[0];
  return first ?? cancelled[0] ?? ends[0]!;
}

function lastEnd(ends: readonly End[]): Pick<End, 'endedAtMs'> {
  const times = ends.flatMap(({ endedAtMs }) => endedAtMs ?? []);
  return times.length === 0 ? {} : { endedAtMs: Math.max(...times) };
}
