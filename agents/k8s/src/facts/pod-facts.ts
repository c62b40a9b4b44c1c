import type { Condition, ContainerStatus, Pod } from '../api-types.ts';
import { conditionOf } from '../conditions.ts';
import { COMPLETION_INDEX_ANNOTATION, CONTAINER, GO_ANNOTATION, HOLD_FINALIZER } from '../names.ts';
import { hasGate } from '../start/start-claim.ts';
import { momentMs } from './moment.ts';

/** What this agent keeps of one of its pods. */
export type PodFacts = {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Of the Job that controls it; empty when none does. */
  readonly jobUid: string;
  /** Completion index; 0 in a Job that has none. */
  readonly index: number;
  /** Empty until it is bound. */
  readonly node: string;
  readonly createdAtMs: number;
  /** When a kubelet first took it, by the clock of its node, and the last word of a kubelet, by the API server's; 0: none. */
  readonly takenAtMs: number;
  readonly saidAtMs: number;
  /** When this agent let a gang go, as its annotation says; 0: not yet. */
  readonly goAtMs: number;
  /** When somebody asked for its deletion; 0: nobody did. */
  readonly deletedAtMs: number;
  /** The earliest that it may have been: the last step of a deletion wipes out when it began. */
  readonly deletedFromMs: number;
  /** No longer in the API; what is here is the last that was seen. */
  readonly gone: boolean;
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly disruption: { readonly reason: string; readonly message: string; readonly atMs: number } | null;
  readonly container: ContainerFacts;
  /** Held back until this agent takes the gate away. */
  readonly gated: boolean;
  /** It stays in the API until this agent lets it out. */
  readonly held: boolean;
  /** The scheduler's sentence while it finds no node. */
  readonly unschedulable: string;
  /** When it ceased to be Ready although its container runs, as the cluster writes it: its node is out of sight; empty: it is not so. */
  readonly unseen: string;
  /** Since when this agent has seen something, by its own clock: no other may be compared with it. 0: it is not so. */
  readonly unseenSinceMs: number;
  readonly boundSinceMs: number;
  readonly deletedSinceMs: number;
  /** Its container cannot be made: image, configuration. */
  readonly troubleSinceMs: number;
};

export type ContainerFacts =
  | { readonly kind: 'none' }
  | { readonly kind: 'waiting'; readonly reason: string; readonly message: string }
  | { readonly kind: 'running'; readonly startedAtMs: number }
  | {
      readonly kind: 'terminated';
      readonly exitCode: number;
      readonly reason: string;
      readonly message: string;
      /** 0: it never started. */
      readonly startedAtMs: number;
      readonly finishedAtMs: number;
    };

/** Why a container is not being made; the same words for an image that does not exist and for one that cannot be reached. */
const TROUBLE = [
  'ErrImagePull',
  'ImagePullBackOff',
  'ImageInspectError',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
];

/** A pod as facts; null for an object without a name or UID. */
export function podFacts(pod: Pod, nowMs: number): PodFacts | null {
  const { metadata, spec, status } = pod;
  if (!metadata?.name || !metadata.uid) return null;
  const condition = (type: string) => conditionOf(status?.conditions, type);
  const container = containerFacts(status?.containerStatuses?.find(({ name }) => name === CONTAINER));
  const unseen = container.kind === 'running' ? unseenSince(condition('Ready')) : '';
  const owner = metadata.ownerReferences?.find(({ controller, kind }) => controller && kind === 'Job');
  return {
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion ?? '',
    jobUid: owner?.uid ?? '',
    index: indexOf(metadata.annotations?.[COMPLETION_INDEX_ANNOTATION]),
    node: spec?.nodeName ?? '',
    createdAtMs: momentMs(metadata.creationTimestamp),
    takenAtMs: momentMs(status?.startTime),
    saidAtMs: saidAt(metadata),
    goAtMs: goAt(metadata.annotations?.[GO_ANNOTATION]),
    deletedAtMs: deletedAt(metadata),
    deletedFromMs: deletedFrom(pod),
    gone: false,
    phase: status?.phase ?? 'Pending',
    reason: status?.reason ?? '',
    message: status?.message ?? '',
    disruption: disruptionOf(condition('DisruptionTarget')),
    container,
    gated: hasGate(pod),
    held: metadata.finalizers?.includes(HOLD_FINALIZER) === true,
    unschedulable: sentenceOf(condition('PodScheduled')),
    unseen,
    unseenSinceMs: unseen === '' ? 0 : nowMs,
    boundSinceMs: spec?.nodeName ? nowMs : 0,
    deletedSinceMs: metadata.deletionTimestamp ? nowMs : 0,
    troubleSinceMs: container.kind === 'waiting' && TROUBLE.includes(container.reason) ? nowMs : 0,
  };
}

/**
 * What is known after one more version of the same pod, of whatever age: a binding, a start, an end, a deletion are never
 * taken back by a cache that lags behind.
 */
export function mergePod(before: PodFacts | undefined, now: PodFacts): PodFacts {
  if (!before || before.uid !== now.uid) return now;
  const container = furthest(before.container, now.container);
  const inTrouble = now.troubleSinceMs > 0 && container === now.container;
  return {
    ...now,
    jobUid: now.jobUid || before.jobUid,
    node: now.node || before.node,
    takenAtMs: before.takenAtMs || now.takenAtMs,
    saidAtMs: Math.max(before.saidAtMs, now.saidAtMs),
    goAtMs: before.goAtMs || now.goAtMs,
    deletedAtMs: before.deletedAtMs || now.deletedAtMs,
    deletedFromMs: before.deletedFromMs || now.deletedFromMs,
    gone: before.gone || now.gone,
    phase: isOver(before) ? before.phase : now.phase,
    reason: now.reason || before.reason,
    message: now.message || before.message,
    disruption: before.disruption ?? now.disruption,
    container,
    gated: before.gated && now.gated,
    unschedulable: now.node || before.node ? '' : now.unschedulable,
    ...(container.kind !== 'running'
      ? { unseen: '', unseenSinceMs: 0 }
      : now.unseen === before.unseen && { unseenSinceMs: before.unseenSinceMs }),
    boundSinceMs: before.boundSinceMs || now.boundSinceMs,
    deletedSinceMs: before.deletedSinceMs || now.deletedSinceMs,
    troubleSinceMs: inTrouble ? before.troubleSinceMs || now.troubleSinceMs : 0,
  };
}

/** Nothing of it runs any more, by the kubelet's word. */
export function isOver({ phase }: Pick<PodFacts, 'phase'>): boolean {
  return phase === 'Succeeded' || phase === 'Failed';
}

/** Gone, on its way out, or at its end: nothing more comes of it. */
export function isLeaving(pod: Pick<PodFacts, 'gone' | 'deletedAtMs' | 'phase'>): boolean {
  return pod.gone || pod.deletedAtMs > 0 || isOver(pod);
}

/** Two looks did not find it any more, and nobody saw it go: after what is known of it, it may have been bound and have run. */
export function wentUnseen(pod: Pick<PodFacts, 'gone' | 'deletedAtMs' | 'phase'>): boolean {
  return pod.gone && pod.deletedAtMs === 0 && !isOver(pod);
}

/** Its main container has started; what runs in it may still wait for the rest of its gang. */
export function containerStartedMs({ container }: Pick<PodFacts, 'container'>): number {
  return container.kind === 'running' || container.kind === 'terminated' ? container.startedAtMs : 0;
}

function containerFacts(status: ContainerStatus | undefined): ContainerFacts {
  const { terminated, running, waiting } = status?.state ?? {};
  if (terminated)
    return {
      kind: 'terminated',
      exitCode: terminated.exitCode,
      reason: terminated.reason ?? '',
      message: terminated.message ?? '',
      startedAtMs: momentMs(terminated.startedAt),
      finishedAtMs: momentMs(terminated.finishedAt),
    };
  if (running) return { kind: 'running', startedAtMs: momentMs(running.startedAt) || 1 };
  if (waiting) return { kind: 'waiting', reason: waiting.reason ?? '', message: waiting.message ?? '' };
  return { kind: 'none' };
}

const STEPS: readonly ContainerFacts['kind'][] = ['none', 'waiting', 'running', 'terminated'];

function furthest(before: ContainerFacts, now: ContainerFacts): ContainerFacts {
  if (before.kind === 'terminated') return before;
  const rank = (facts: ContainerFacts) => STEPS.indexOf(facts.kind);
  // `waiting` after `none` and the other way round: the newer word is as good.
  return rank(now) >= rank(before) || before.kind === 'waiting' ? now : before;
}

/** An index that cannot be read stands for no task. */
function indexOf(text: string | undefined): number {
  if (text === undefined) return 0;
  return /^\d{1,7}$/.test(text) ? Number(text) : -1;
}

function goAt(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  return momentMs(text) || 1;
}

/** The API shows when the grace period ends. */
function deletedAt({ deletionTimestamp, deletionGracePeriodSeconds = 0 }: Pod['metadata']): number {
  const ms = momentMs(deletionTimestamp);
  return ms === 0 ? 0 : ms - deletionGracePeriodSeconds * 1000;
}

/** A kubelet that has ended everything deletes the pod once more, without grace, and the API server forgets the first time. */
function deletedFrom({ metadata, spec }: Pod): number {
  const { terminationGracePeriodSeconds = 0 } = spec;
  const isLastStep = metadata.deletionGracePeriodSeconds === 0 && Boolean(spec.nodeName);
  return Math.max(0, deletedAt(metadata) - (isLastStep ? terminationGracePeriodSeconds * 1000 : 0));
}

/** Whoever wrote when the pod was taken is a kubelet, whatever its program is called. */
function saidAt({ managedFields }: Pod['metadata']): number {
  const kubelet = managedFields?.find(
    ({ subresource, fieldsV1 }) => subresource === 'status' && fieldsV1?.['f:status']?.['f:startTime'] !== undefined,
  );
  return momentMs(kubelet?.time);
}

function disruptionOf(condition: Condition | undefined): PodFacts['disruption'] {
  if (condition?.status !== 'True') return null;
  const { reason = '', message = '', lastTransitionTime } = condition;
  return { reason, message, atMs: momentMs(lastTransitionTime) };
}

/** That a gate holds it says nothing of the cluster. */
function sentenceOf(scheduled: Condition | undefined): string {
  if (scheduled?.status !== 'False' || scheduled.reason === 'SchedulingGated') return '';
  return scheduled.message ?? scheduled.reason ?? '';
}

/** Our pods have no probes: a running container is Ready unless the node controller has lost sight of its node. */
function unseenSince(ready: Condition | undefined): string {
  return ready?.status === 'False' ? (ready.lastTransitionTime ?? 'unknown') : '';
}

/** Let go, and not deleted before it had a node: then it has started, or still may. */
export function mayHaveStarted({ gated, node, deletedAtMs }: PodFacts): boolean {
  return !gated && (node !== '' || deletedAtMs === 0);
}
