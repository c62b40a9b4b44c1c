/** The names that this agent writes into a cluster and finds its own objects by again, in one place. */

export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'switchyard';

/** On the Job, its pods and its Service. */
export const FEDERATION_LABEL = 'switchyard.dev/federation';
export const RUN_LABEL = 'switchyard.dev/run';
export const JOB_LABEL = 'switchyard.dev/job';

/** On the Job. */
export const SPEC_HASH_ANNOTATION = 'switchyard.dev/spec-hash';
export const ORDER_ANNOTATION = 'switchyard.dev/order';
export const NAME_ANNOTATION = 'switchyard.dev/name';
/** Written before unbound pods are deleted, so that an agent that starts again knows why they are gone. */
export const WITHDRAW_ASKED_ANNOTATION = 'switchyard.dev/withdraw-asked';
/** The tasks for which that came too late: when their pods are gone, it is not because they were taken back. */
export const WITHDRAW_LOST_ANNOTATION = 'switchyard.dev/withdraw-lost';

/** On the pods. */
export const SCRIPT_ANNOTATION = 'switchyard.dev/script';
/** Patched on the pods of a gang when all of them are up; until then no payload of it starts. */
export const GO_ANNOTATION = 'switchyard.dev/go';

/** A finalizer: a pod that is being taken back stays to be seen until this agent has seen whether it had a node. */
export const HOLD_FINALIZER = 'switchyard.dev/withdraw';

/** Written by the Job controller. */
export const JOB_NAME_LABEL = 'batch.kubernetes.io/job-name';
export const CONTROLLER_UID_LABEL = 'batch.kubernetes.io/controller-uid';
export const COMPLETION_INDEX_ANNOTATION = 'batch.kubernetes.io/job-completion-index';

/** Read by Kueue. */
export const QUEUE_NAME_LABEL = 'kueue.x-k8s.io/queue-name';
export const QUEUE_PRIORITY_LABEL = 'kueue.x-k8s.io/priority-class';

/** The one container of every pod. */
export const CONTAINER = 'main';

/** The downward API volume of every pod that needs one. */
export const YARD_PATH = '/yard';
export const SCRIPT_PATH = `${YARD_PATH}/script`;
export const GO_PATH = `${YARD_PATH}/go`;

/** Everything of one federation, as a label selector. */
export function federationSelector(federation: string): string {
  return `${FEDERATION_LABEL}=${federation}`;
}

/** Everything else, also what has no labels at all: what is followed as our own is not sent a second time. */
export function othersSelector(federation: string): string {
  return `${FEDERATION_LABEL}!=${federation}`;
}

/** What a run's Job is called outside of its cluster. */
export function nativeIdOf(namespace: string, jobName: string): string {
  return `${namespace}/${jobName}`;
}

export function parseNativeId(nativeId: string): { readonly namespace: string; readonly name: string } | null {
  const match = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(nativeId);
  return match ? { namespace: match[1]!, name: match[2]! } : null;
}

/** The name of a gang's node, which its Service resolves: the host name that the Job controller gives, and the subdomain. */
export function nodeNameOf(jobName: string, index: number): string {
  return `${jobName}-${index}.${jobName}`;
}
