import type { End } from '@switchyard/core/lifecycle/evidence.ts';
import {
  contains,
  difference,
  EMPTY,
  fromIndexes,
  intersection,
  type RangeSet,
  union,
} from '@switchyard/core/spec/range-set.ts';
import { isGangUnstarted, settleGang } from './gang.ts';
import { nativeStateOf } from './native-state.ts';
import { mayHaveBeenBound, notStarted, type PodSetting, podEnd } from './pod-end.ts';
import { containerStartedMs, mayHaveStarted, type PodFacts } from './pod-facts.ts';
import { hasEnded, noteEnd, noteStart, openTasks, type RunFacts, taskOfIndex, tasksOf } from './run-facts.ts';

/** Brings a run up to date with what is known of its Job and pods: starts, ends, native state. Only ever forward. */
export function settleRun(run: RunFacts, when: { readonly nowMs: number; readonly lostNodeMs: number }): void {
  const setting: PodSetting = {
    ...when,
    job: run.jobGone ? null : run.job,
    asked: run.cancelWanted ? 'cancel' : run.asked,
    eviction: run.eviction,
    letGo: run.letGo,
  };
  if (!hasEnded(run)) {
    if (run.gang > 0) settleGang(run, setting);
    else settlePods(run, inOrder(run), setting);
    settleQueued(run, setting);
    settlePodless(run, setting);
  }
  nativeStateOf(run);
}

/** What was never bound says least; a second pod of an index, held behind its gate, says nothing. */
function inOrder(run: RunFacts): PodFacts[] {
  const saysLittle = (pod: PodFacts) => (pod.node === '' ? 1 : 0);
  const pods = [...run.pods.values()];
  const taken = new Set(pods.filter(mayHaveStarted).map(({ index }) => index));
  return pods
    .filter(({ gated, index }) => !gated || !taken.has(index))
    .sort((left, right) => saysLittle(left) - saysLittle(right));
}

function settlePods(run: RunFacts, pods: readonly PodFacts[], setting: PodSetting): void {
  for (const pod of pods) settlePod(run, pod, setting, pods);
}

function settlePod(run: RunFacts, pod: PodFacts, setting: PodSetting, all: readonly PodFacts[]): void {
  const task = taskOfIndex(run, pod.index);
  if (task === null || contains(run.ended, task)) return;
  const startedAtMs = containerStartedMs(pod);
  if (startedAtMs > 0) noteStart(run, task, startedAtMs);
  const end = podEnd(pod, setting);
  if (end && !mayStillStart(all, pod, end, setting)) noteEnd(run, [[task, task]], honest(run, task, end));
}

/** The Job controller may make two pods of one index: that one of them never started says nothing of the other. */
function mayStillStart(all: readonly PodFacts[], pod: PodFacts, end: End, setting: PodSetting): boolean {
  if (pod.node !== '' && !hasNotStarted(end)) return false;
  return all.some((other) => other !== pod && other.index === pod.index && !podEnd(other, setting));
}

function hasNotStarted({ outcome }: End): boolean {
  return outcome === 'withdrawn' || outcome === 'refused';
}

/** Never started is only what has not: a second pod of the same index changes nothing. */
function honest(run: RunFacts, task: number, end: End): End {
  if (!hasNotStarted(end) || !contains(run.started, task)) return end;
  return { outcome: 'failed', reason: 'unknown_end', detail: 'it started, and its pod was taken away' };
}

/** What Kueue and the claim of the start say: nobody will ever start it, or it was started and taken back. */
function settleQueued(run: RunFacts, { job, asked }: PodSetting): void {
  if (job?.startClaim === 'never') noteEnd(run, openTasks(run), notStarted(asked ?? 'withdraw'));
  if (run.eviction === null || !run.evictionConfirmed) return;
  const detail = run.eviction;
  noteEnd(run, difference(neverStarted(run), run.started), { outcome: 'refused', reason: 'rejected', detail });
  noteEnd(run, openTasks(run), { outcome: 'failed', reason: 'preempted', detail });
}

/** None of their pods was let go, as far as pods are known; this process knows of all pods of a Job that it made itself. */
function neverStarted(run: RunFacts): RangeSet {
  if (run.gang > 0) return isGangUnstarted(run) ? run.tasks : EMPTY;
  return run.madeHere ? union(neverBound(run), difference(run.tasks, tasksOfPods(run))) : neverBound(run);
}

/** Tasks all of whose pods were deleted, or are held, before a node had them. */
function neverBound(run: RunFacts): RangeSet {
  const pods = [...run.pods.values()];
  const mayHaveRun = pods.filter(
    (pod) => pod.node !== '' || mayHaveBeenBound(pod, run.letGo) || (pod.deletedAtMs === 0 && !pod.gated),
  );
  return difference(tasksOfPods(run), tasksOfThese(run, mayHaveRun));
}

/** Tasks of which no pod is left that could still say something, once the Job is over or gone and this was confirmed. */
function settlePodless(run: RunFacts, { job, asked }: PodSetting): void {
  const isOver = run.jobGone || (job !== null && job.finished !== null);
  if (!isOver || !run.podsConfirmed || hasEnded(run)) return;
  const silent = difference(openTasks(run), tasksOfPods(run));
  if (silent.length === 0) return;
  if (job !== null) {
    const complete = job.finished?.kind === 'complete' ? run.tasks : tasksOf(run, job.completedIndexes);
    noteEnd(run, intersection(silent, complete), { outcome: 'succeeded', exitCode: 0 });
  }
  const unseen = difference(difference(silent, run.started), run.job?.lost ?? []);
  if (asked) noteEnd(run, unseen, notStarted(asked));
  noteEnd(run, silent, withoutPods(job, asked));
}

function withoutPods(job: PodSetting['job'], asked: PodSetting['asked']): End {
  // Its pods were ended for that, and it is not complete.
  if (asked === 'cancel') return notStarted(asked);
  if (job === null || job.deleting)
    return { outcome: 'cancelled', reason: 'cancelled_natively', detail: 'somebody deleted the Job' };
  const { reason = '', message = '' } = job.finished ?? {};
  return {
    outcome: 'failed',
    reason: 'unknown_end',
    detail: `the Job says ${reason} (${message}) and its pod is gone`,
  };
}

function tasksOfPods(run: RunFacts): RangeSet {
  return tasksOfThese(run, [...run.pods.values()]);
}

function tasksOfThese(run: RunFacts, pods: readonly PodFacts[]): RangeSet {
  return fromIndexes(pods.flatMap((pod) => taskOfIndex(run, pod.index) ?? []));
}
