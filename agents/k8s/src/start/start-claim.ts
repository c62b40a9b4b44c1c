import type { Job, Pod } from '../api-types.ts';
import { whenTrue } from '../conditions.ts';
import type { QueuedJob } from '../kueue/kueue-types.ts';
import { COMPLETION_INDEX_ANNOTATION, WITHDRAW_ASKED_ANNOTATION } from '../names.ts';

/**
 * Why pods of a queued Job have a gate. Kueue takes a started Job back whenever it likes (preemption, a stopped queue, a node that
 * failed): it suspends the Job, the Job controller removes its own finalizer from the running pods and deletes them (so they count
 * neither as failed nor as finished, whatever `backoffLimit` says), and the next admission makes new pods. Nothing in Kueue or in a
 * Job can forbid that second start, and it follows the first within a second. So the pods are made with a scheduling gate that only
 * this agent takes away, and who may start is decided by one atomic step, the claim: an annotation of the Job, written once, under
 * the precondition of the Job's resourceVersion. `started:<generation>` – pods of this start, and of no other, may be let go;
 * `never` – no pod will ever be let go. A start is known by the Job's generation, because suspending and resuming both raise it.
 */
export const START_GATE = 'switchyard.dev/start';

/** On the Job. Absent: nobody has claimed it. */
export const START_CLAIM_ANNOTATION = 'switchyard.dev/start-claim';

export type StartClaim =
  | { readonly kind: 'free' }
  | { readonly kind: 'never' }
  /** `generation` is null when somebody else wrote something there: then nothing is let go, and nothing counts as never started. */
  | { readonly kind: 'started'; readonly generation: number | null };

export function startClaimOf(job: Pick<Job, 'metadata'>): StartClaim {
  const text = job.metadata.annotations?.[START_CLAIM_ANNOTATION];
  if (text === undefined) return { kind: 'free' };
  if (text === 'never') return { kind: 'never' };
  const match = /^started:([1-9]\d{0,14})$/.exec(text);
  return { kind: 'started', generation: match ? Number(match[1]) : null };
}

export function startClaimText(claim: Exclude<StartClaim, { kind: 'free' }>): string {
  return claim.kind === 'never' ? 'never' : `started:${claim.generation}`;
}

/** The same Job with the gate on its pods; decision 7 says why also those of no queue have it. */
export function withStartGate<J extends Job>(job: J): J {
  const { template } = job.spec;
  if (hasGate(template)) return job;
  const schedulingGates = [...(template.spec.schedulingGates ?? []), { name: START_GATE }];
  return { ...job, spec: { ...job.spec, template: { ...template, spec: { ...template.spec, schedulingGates } } } };
}

export function hasGate({ spec }: { readonly spec: Pick<Pod['spec'], 'schedulingGates'> }): boolean {
  return spec.schedulingGates?.some(({ name }) => name === START_GATE) === true;
}

export type StartVerdict =
  /** Write this claim first, then ask again with the Job that comes back. */
  | { readonly kind: 'claim'; readonly text: string }
  /** Pods that exist by now may be let go. */
  | { readonly kind: 'let_go' }
  | { readonly kind: 'hold'; readonly because: HoldReason };

export type HoldReason = 'foreign' | 'claimed_never' | 'another_start' | 'suspended' | 'over';

/**
 * Whether pods of this Job may start. The Job must have been read after the pods were seen: its generation then says that no
 * other start lies between the claim and them.
 */
export function mayStart(job: QueuedJob, jobUid: string): StartVerdict {
  const { metadata, spec, status } = job;
  const claim = startClaimOf(job);
  if (metadata.uid !== jobUid || jobUid === '') return { kind: 'hold', because: 'foreign' };
  // Tasks that had no pod then were taken back with no other mark than this.
  const isTakenBack = metadata.annotations?.[WITHDRAW_ASKED_ANNOTATION] !== undefined;
  if (claim.kind === 'never' || isTakenBack) return { kind: 'hold', because: 'claimed_never' };
  if (claim.kind === 'started' && claim.generation !== metadata.generation) {
    return { kind: 'hold', because: 'another_start' };
  }
  if (metadata.deletionTimestamp || isFinished(status)) return { kind: 'hold', because: 'over' };
  if (spec.suspend || !metadata.generation) return { kind: 'hold', because: 'suspended' };
  if (claim.kind === 'started') return { kind: 'let_go' };
  return { kind: 'claim', text: startClaimText({ kind: 'started', generation: metadata.generation }) };
}

/**
 * Which of a Job's pods to let go: gated, not being deleted, the Job's own, and for each index only one, ever: the Job controller
 * may make two pods of one index ("the same program may sometimes be started twice"), and the second must not start.
 */
export function podsToLetGo(pods: readonly Pod[], jobUid: string): readonly Pod[] {
  const own = pods.filter((pod) => isPodOf(pod, jobUid));
  const taken = new Set(own.filter((pod) => !hasGate(pod)).map(indexOf));
  const chosen: Pod[] = [];
  for (const pod of own.filter((each) => hasGate(each) && !each.metadata.deletionTimestamp).sort(byAge)) {
    if (taken.has(indexOf(pod))) continue;
    taken.add(indexOf(pod));
    chosen.push(pod);
  }
  return chosen;
}

function isPodOf(pod: Pod, jobUid: string): boolean {
  return pod.metadata.ownerReferences?.some(({ controller, uid }) => controller === true && uid === jobUid) === true;
}

function indexOf(pod: Pod): string {
  return pod.metadata.annotations?.[COMPLETION_INDEX_ANNOTATION] ?? '';
}

/** Oldest first, then by UID. */
function byAge(one: Pod, other: Pod): number {
  const key = ({ metadata }: Pod) => `${metadata.creationTimestamp ?? ''} ${metadata.uid ?? ''}`;
  return key(one) < key(other) ? -1 : 1;
}

export function isFinished(status: Job['status']): boolean {
  return ['Complete', 'Failed'].some((type) => whenTrue(status?.conditions, type) !== null);
}
