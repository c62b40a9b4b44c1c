import type { End } from '@switchyard/core/lifecycle/evidence.ts';
import { signalName } from '@switchyard/core/lifecycle/signal-name.ts';
import { contains } from '@switchyard/core/spec/range-set.ts';
import type { Asked, JobFacts } from './job-facts.ts';
import { containerStartedMs, isOver, type PodFacts, wentUnseen } from './pod-facts.ts';

/** What bears on the end of a pod beside the pod itself. */
export type PodSetting = {
  /** Null: the Job is no longer in the API. */
  readonly job: JobFacts | null;
  readonly asked: Asked | null;
  /** Kueue took the quota back; its own sentence. */
  readonly eviction: string | null;
  /** Pods of it may have been let go. */
  readonly letGo: boolean;
  readonly nowMs: number;
  readonly lostNodeMs: number;
};

/**
 * How a pod's payload ended, from everything that is known; null while it has not, or while it cannot be told. First match:
 * out of memory (a child that was killed leaves exit 0); walltime; rejected by its kubelet; what ended before anybody meddled;
 * lost node; who pushed it out; who deleted it. A pod that was never bound has not started; one that was may have.
 */
export function podEnd(pod: PodFacts, setting: PodSetting): End | null {
  if (pod.node === '' && !mayHaveBeenBound(pod, setting.letGo)) return neverBound(pod, setting);
  const end = boundEnd(pod, setting);
  return end && { ...end, ...times(pod), ...(pod.node === '' ? {} : { host: pod.node }) };
}

/** It went unseen, and no gate held it until then. */
export function mayHaveBeenBound(pod: PodFacts, letGo: boolean): boolean {
  return wentUnseen(pod) && (letGo || !pod.gated);
}

function boundEnd(pod: PodFacts, setting: PodSetting): End | null {
  const { container } = pod;
  if (!isOver(pod) && !pod.gone) return lostNode(pod, setting);
  if (container.kind === 'terminated' && container.reason === 'OOMKilled')
    return { outcome: 'failed', reason: 'out_of_memory', detail: oomDetail(container.exitCode), ...exitOf(container) };
  if (pod.reason === 'DeadlineExceeded')
    return { outcome: 'failed', reason: 'walltime', detail: said(pod.message, 'the walltime was reached') };
  if (wasRejected(pod) && !pod.disruption) return rejected(pod);
  if (endedByItself(pod, setting)) return exitEnd(pod);
  return evicted(pod) ?? deleted(pod, setting);
}

/** Unbound, it can only be deleted; an end only when the Job will not make another in its place. */
function neverBound(pod: PodFacts, { job, asked, eviction }: PodSetting): End | null {
  if (pod.deletedAtMs === 0 && !pod.gone && !isOver(pod)) return null;
  if (asked) return notStarted(asked);
  const another = eviction !== null || (job !== null && !job.deleting && (job.suspended || !hasGivenUp(job, pod)));
  return another
    ? null
    : { outcome: 'cancelled', reason: 'cancelled_natively', detail: 'somebody deleted the pod before it was bound' };
}

/** How something ended that never started, by what was asked of it. */
export function notStarted(asked: Asked): End {
  if (asked === 'withdraw' || asked === 'give way') return { outcome: 'withdrawn' };
  if (asked === 'cancel') return { outcome: 'cancelled', reason: 'cancelled_by_user' };
  return { outcome: 'refused', reason: 'rejected', detail: 'its pods could not all be up at the same time' };
}

/** While the API still shows it alive: its node is gone, if it is out of sight for so long or the cluster says so. */
function lostNode(pod: PodFacts, { nowMs, lostNodeMs }: PodSetting): End | null {
  const isTainted = pod.disruption?.reason === 'DeletionByTaintManager';
  const isUnseen = pod.unseenSinceMs > 0;
  const isLate = isUnseen && nowMs - pod.unseenSinceMs >= lostNodeMs;
  // Bound and never seen to start: once its deletion is overdue, nobody on that node obeys.
  const isOverdue = isTainted && pod.deletedSinceMs > 0 && nowMs - pod.deletedSinceMs >= lostNodeMs;
  if (!isLate && !(isTainted && isUnseen) && !isOverdue) return null;
  return nodeFailure(pod, said(pod.disruption?.message, 'it is not Ready'));
}

/** When the end of a pod whose node is out of sight is due; 0: never by itself. */
export function lostNodeDueMs(pod: PodFacts, lostNodeMs: number): number {
  if (isOver(pod) || pod.gone) return 0;
  if (pod.unseenSinceMs > 0) return pod.unseenSinceMs + lostNodeMs;
  return pod.disruption && pod.deletedSinceMs > 0 ? pod.deletedSinceMs + lostNodeMs : 0;
}

/** By TERM or KILL, the signals of a deletion. */
const KILLED = [143, 137];

/** Times have whole seconds: an end in the second of the deletion counts as caused by it, for no success is guessed. */
function endedByItself(pod: PodFacts, { asked }: PodSetting): boolean {
  const { container, deletedAtMs, deletedFromMs, disruption, reason } = pod;
  if (container.kind !== 'terminated' || container.finishedAtMs === 0 || reason === 'Evicted') return false;
  const wasKilled = KILLED.includes(container.exitCode);
  // The last step of a deletion may come late, and only what was alive is cancelled.
  if (wasKilled && asked === 'cancel' && deletedAtMs > 0) return false;
  const meddledAtMs = Math.min(
    (wasKilled || asked === 'cancel' ? deletedFromMs : deletedAtMs) || Infinity,
    disruption?.atMs || Infinity,
  );
  return container.finishedAtMs < Math.floor(meddledAtMs / 1000) * 1000 || meddledAtMs === Infinity;
}

function exitEnd(pod: PodFacts): End {
  const { container } = pod;
  if (container.kind !== 'terminated') return unknownEnd('its container left no exit code');
  const { exitCode, reason, message } = container;
  if (wasLeftUnmade(container))
    return { outcome: 'refused', reason: 'rejected', detail: `its container was not made: ${message}` };
  if (wasLeftStarting(container)) return nodeFailure(pod, `its container was just being started: ${message}`);
  // The exit code (127, 128) is the runtime's: the payload has none.
  if (reason === 'StartError' || reason === 'ContainerCannotRun')
    return {
      outcome: 'failed',
      reason: 'rejected',
      detail: `its container could not be started: ${said(message, reason)}`,
    };
  if (exitCode === 0) return { outcome: 'succeeded', exitCode: 0 };
  const exit = exitOf(container);
  const detail = message === '' ? {} : { detail: message };
  return { outcome: 'failed', reason: exit.signal === undefined ? 'exit_code' : 'signal', ...detail, ...exit };
}

type Terminated = Extract<PodFacts['container'], { kind: 'terminated' }>;

/** Whoever made the container went away meanwhile, as with a kubelet that is killed: words of containerd. */
const CUT_OFF = /context canceled|signal: killed|ttrpc: (server )?closed|error reading from server: EOF/;

/** Before its first process could run. */
function wasLeftUnmade({ reason, message, startedAtMs }: Terminated): boolean {
  const isUnmade = reason === 'StartError' && startedAtMs === 0;
  return isUnmade && message.startsWith('failed to create containerd task') && CUT_OFF.test(message);
}

/** A moment later: it may have run until the runtime took it away. */
function wasLeftStarting({ reason, message }: Terminated): boolean {
  return reason === 'StartError' && message.startsWith('failed to start containerd task') && CUT_OFF.test(message);
}

/** Pushed out by the cluster: the words of DisruptionTarget, and the kubelet's own. */
function evicted(pod: PodFacts): End | null {
  const { container, disruption, reason, message } = pod;
  const sentence = said(disruption?.message, message);
  switch (disruption?.reason) {
    case 'PreemptionByScheduler':
      return preempted(said(sentence, 'a pod of higher priority took its place'));
    case 'EvictionByEvictionAPI':
    case 'TerminationByKubelet':
      return preempted(said(message, sentence));
    case 'DeletionByTaintManager':
    case 'DeletionByPodGC':
      return nodeFailure(pod, sentence);
  }
  if (reason === 'Evicted' || reason === 'Preempting' || reason === 'Terminated' || reason === 'NodeShutdown')
    return preempted(said(message, reason));
  if (reason === 'NodeLost') return nodeFailure(pod, message);
  if (container.kind === 'terminated' && container.reason === 'ContainerStatusUnknown')
    return nodeFailure(pod, said(container.message, 'the node does not know the container any more'));
  return null;
}

/** Not admitted by a kubelet: the reasons of old ones, and the words of those since v1.27. */
function wasRejected({ reason, message }: PodFacts): boolean {
  return (
    message.startsWith('Pod was rejected') ||
    /^(OutOf|UnexpectedAdmissionError|NodeAffinity|NodePorts|TopologyAffinityError)/.test(reason)
  );
}

/** Both times have whole seconds, and are of two clocks; a kubelet needs longer than this to start again. */
const AT_ONCE_MS = 2000;

/**
 * A kubelet that starts again admits anew what it has: what it then rejects may have run. New ones end that and say so, old ones
 * wipe out all that they had said of its containers. Only what was taken and rejected in one moment has not started.
 */
function rejected(pod: PodFacts): End {
  const { node, container, takenAtMs, saidAtMs, reason, message } = pod;
  const wasAtOnce = takenAtMs > 0 && Math.abs(saidAtMs - takenAtMs) <= AT_ONCE_MS;
  if (wasAtOnce && (container.kind === 'none' || container.kind === 'waiting'))
    return { outcome: 'refused', reason: 'rejected', detail: `node ${node} refused the pod: ${said(message, reason)}` };
  const detail = `node ${node} did not take the pod back: ${said(message, reason)}`;
  return { outcome: 'failed', reason: 'node_failure', detail };
}

/** Taken away without a word of why. Only the Job shows whether it is over with it, or whether it was only suspended. */
function deleted(pod: PodFacts, { job, asked, eviction }: PodSetting): End | null {
  const exit = pod.container.kind === 'terminated' ? exitOf(pod.container) : {};
  if (asked === 'cancel') return { outcome: 'cancelled', reason: 'cancelled_by_user', ...exit };
  if (pod.gone && job && isCompleted(job, pod)) return { outcome: 'succeeded', exitCode: 0 };
  if (eviction !== null) return { ...preempted(eviction), ...exit };
  if (job?.suspended) return { ...preempted('its Job was suspended'), ...exit };
  if (job !== null && !job.deleting && !job.failing && !hasGivenUp(job, pod)) return null;
  if (pod.deletedAtMs === 0 && !pod.gone) return exitEnd(pod);
  if (pod.node === '' && asked !== null) return unknownEnd('nobody saw whether it started before its pod was gone');
  const what = job === null || job.deleting ? 'Job' : 'pod';
  return { outcome: 'cancelled', reason: 'cancelled_natively', detail: `somebody deleted the ${what}`, ...exit };
}

/** The Job counts this pod's index, or itself, as failed. */
function hasGivenUp(job: JobFacts, { index }: PodFacts): boolean {
  return job.finished !== null || contains(job.failedIndexes, Math.max(0, index));
}

function isCompleted(job: JobFacts, { index }: PodFacts): boolean {
  return job.finished?.kind === 'complete' || contains(job.completedIndexes, Math.max(0, index));
}

/** 129–192 is a signal where there is one of that number; 0 says nothing beside a failure. */
function exitOf({ exitCode }: { exitCode: number }): { exitCode?: number; signal?: string } {
  const signal = exitCode > 128 && exitCode <= 192 ? signalName(exitCode - 128) : null;
  if (signal !== null) return { signal };
  return exitCode > 0 && exitCode <= 255 ? { exitCode } : {};
}

function times(pod: PodFacts): Pick<End, 'startedAtMs' | 'endedAtMs'> {
  const startedAtMs = pod.goAtMs > 1 ? pod.goAtMs : containerStartedMs(pod);
  const endedAtMs = pod.container.kind === 'terminated' ? pod.container.finishedAtMs : 0;
  return {
    ...(startedAtMs > 1 ? { startedAtMs } : {}),
    ...(endedAtMs > 0 ? { endedAtMs: Math.max(endedAtMs, startedAtMs) } : {}),
  };
}

function oomDetail(exitCode: number): string {
  return exitCode === 0
    ? 'the kernel killed a process of it for memory, though the job itself ended with 0'
    : 'the kernel killed it for memory';
}

function preempted(detail: string): End {
  return { outcome: 'failed', reason: 'preempted', detail };
}

function nodeFailure({ node }: PodFacts, sentence: string): End {
  return { outcome: 'failed', reason: 'node_failure', detail: `node ${node} was lost: ${sentence}` };
}

function unknownEnd(detail: string): End {
  return { outcome: 'failed', reason: 'unknown_end', detail };
}

function said(text: string | undefined, otherwise: string): string {
  return text || otherwise;
}
