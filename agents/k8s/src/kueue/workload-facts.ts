import type { Condition } from '../api-types.ts';
import { conditionOf, whenTrue } from '../conditions.ts';
import type { Workload } from './kueue-types.ts';

/** What Kueue says of one Workload, in values that both versions of its API give. */
export type WorkloadFacts = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The Job that controls it; null for a Workload of anything else. */
  readonly owner: { readonly name: string; readonly uid: string } | null;
  readonly queue: string;
  /** Where its quota is counted; empty while it has none. */
  readonly clusterQueue: string;
  readonly priority: number;
  readonly priorityClass: string;
  readonly active: boolean;
  readonly deleting: boolean;
  readonly quotaReserved: boolean;
  readonly admitted: boolean;
  readonly evicted: { readonly reason: string; readonly message: string; readonly atMs: number | null } | null;
  /** Why it was preempted, when it was: `InClusterQueue`, `InCohortReclamation`, … */
  readonly preemptedBy: string;
  readonly finished: { readonly reason: string; readonly message: string } | null;
  /** Kueue's sentence for what it waits for; empty while it says nothing. */
  readonly pendingMessage: string;
  readonly pendingReason: string;
  /** Not to be queued again before this time. */
  readonly requeueAtMs: number | null;
  readonly checksWaiting: readonly { readonly name: string; readonly state: string; readonly message: string }[];
  /** What orders it among those of its priority. */
  readonly queuedSinceMs: number;
};

/** A Workload as facts; null for an object that is none (it has no name or UID). */
export function workloadFacts(workload: Workload): WorkloadFacts | null {
  const { metadata, spec, status } = workload;
  if (!metadata?.name || !metadata.uid) return null;
  const conditions = status?.conditions ?? [];
  const evicted = whenTrue(conditions, 'Evicted');
  const finished = whenTrue(conditions, 'Finished');
  const reserved = conditionOf(conditions, 'QuotaReserved');
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion ?? '',
    owner: jobThatOwns(workload),
    queue: spec?.queueName ?? '',
    clusterQueue: status?.admission?.clusterQueue ?? '',
    priority: spec?.priority ?? 0,
    priorityClass: spec?.priorityClassName ?? spec?.priorityClassRef?.name ?? '',
    active: spec?.active !== false,
    deleting: Boolean(metadata.deletionTimestamp),
    quotaReserved: reserved?.status === 'True',
    admitted: whenTrue(conditions, 'Admitted') !== null,
    evicted: evicted && { ...saying(evicted), atMs: timeOf(evicted.lastTransitionTime) },
    preemptedBy: whenTrue(conditions, 'Preempted')?.reason ?? '',
    finished: finished && saying(finished),
    pendingMessage: reserved?.status === 'False' ? saying(reserved).message : '',
    pendingReason: reserved?.status === 'False' ? (reserved.reason ?? '') : '',
    requeueAtMs: timeOf(status?.requeueState?.requeueAt),
    checksWaiting: (status?.admissionChecks ?? [])
      .filter((check) => check.state !== 'Ready')
      .map((check) => ({ name: check.name, state: check.state, message: check.message ?? '' })),
    queuedSinceMs: queuedSince(workload, evicted),
  };
}

/** Ours only if the Job of that very UID controls it: a Job of the same name made again has another. */
export function isWorkloadOf(workload: Pick<WorkloadFacts, 'owner'>, jobUid: string): boolean {
  return jobUid !== '' && workload.owner?.uid === jobUid;
}

/** The order in which Kueue takes the Workloads of one LocalQueue: priority, then time, then (so that it is total) the UID. */
export function comesBefore(
  one: Pick<WorkloadFacts, 'priority' | 'queuedSinceMs' | 'uid'>,
  other: Pick<WorkloadFacts, 'priority' | 'queuedSinceMs' | 'uid'>,
): number {
  return (
    other.priority - one.priority ||
    one.queuedSinceMs - other.queuedSinceMs ||
    (one.uid < other.uid ? -1 : one.uid > other.uid ? 1 : 0)
  );
}

function jobThatOwns({ metadata }: Workload): WorkloadFacts['owner'] {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller);
  if (owner?.kind !== 'Job' || !owner.apiVersion.startsWith('batch/')) return null;
  return { name: owner.name, uid: owner.uid };
}

/** An eviction for a failed admission check or for pods that never came up puts it at the end of the line; others keep its place. */
function queuedSince({ metadata }: Workload, evicted: Condition | null): number {
  const toTheEnd = evicted?.reason === 'AdmissionCheck' || evicted?.reason === 'PodsReadyTimeout';
  return (toTheEnd ? timeOf(evicted.lastTransitionTime) : null) ?? timeOf(metadata.creationTimestamp) ?? 0;
}

function saying({ reason, message }: Condition): { reason: string; message: string } {
  return { reason: reason ?? '', message: withoutUids(message ?? '') };
}

/** Whose job made room for whose is not for everybody to know: `(UID: …, JobUID: …)` names a Workload of another group. */
function withoutUids(message: string): string {
  return message.replaceAll(/ \(UID: [^)]*\)/g, '');
}

function timeOf(text: string | null | undefined): number | null {
  const ms = text ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}
