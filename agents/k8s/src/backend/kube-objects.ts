import type { Job, KubeList, Pod, Service } from '../api-types.ts';
import type { KubeClient } from '../client/kube-client.ts';
import { KubeError, type KubeErrorKind } from '../client/kube-error.ts';
import { type Lane, STRATEGIC_MERGE } from '../client/kube-request.ts';
import {
  CONTROLLER_UID_LABEL,
  GO_ANNOTATION,
  HOLD_FINALIZER,
  WITHDRAW_ASKED_ANNOTATION,
  WITHDRAW_LOST_ANNOTATION,
} from '../names.ts';
import { jobsPath, objectPath, podsPath } from '../object-path.ts';

/** The requests of the backend: one function for each, so that what the agent's rights must allow can be read here. */

export type Place = { readonly namespace: string; readonly name: string };
/** This very object, and no later one of its name. */
type Exactly = Place & { readonly uid: string };

export function getPod(client: KubeClient, { namespace, name }: Place): Promise<Pod | null> {
  return unless('not_found', client.request<Pod>({ verb: 'GET', path: podsPath(namespace, name) }));
}

/** By the UID of their Job, from the server's newest state. */
export async function listPods(client: KubeClient, namespace: string, jobUid: string): Promise<Pod[]> {
  const pods: Pod[] = [];
  let next = '';
  do {
    const query = {
      labelSelector: `${CONTROLLER_UID_LABEL}=${jobUid}`,
      limit: '500',
      ...(next ? { continue: next } : {}),
    };
    const page = await client.request<KubeList<Pod>>({ verb: 'GET', path: podsPath(namespace), query });
    pods.push(...page.items);
    next = page.metadata.continue ?? '';
  } while (next !== '');
  return pods;
}

/**
 * Deletes exactly this pod, if its version is given exactly as it was seen: a binding in between makes it fail.
 * The pod as it is being deleted; `gone`; or `changed`: look again.
 */
export async function deletePod(
  client: KubeClient,
  pod: Exactly & { readonly resourceVersion?: string },
): Promise<Pod | 'gone' | 'changed'> {
  const { namespace, name, uid, resourceVersion } = pod;
  // A path without a name would speak of all pods.
  if (name === '' || uid === '') throw new TypeError('a pod without name or UID cannot be deleted');
  const preconditions = { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions };
  try {
    const answer = await client.request<Pod>({ verb: 'DELETE', path: podsPath(namespace, name), body });
    return answer.kind === 'Pod' ? beingDeleted(answer) : 'gone';
  } catch (error) {
    if (isKube(error, 'not_found')) return 'gone';
    if (isKube(error, 'conflict')) return 'changed';
    throw error;
  }
}

/** What is removed at once may be shown as it was before. */
function beingDeleted(pod: Pod): Pod {
  const deletionTimestamp = pod.metadata.deletionTimestamp ?? new Date().toISOString();
  return { ...pod, metadata: { ...pod.metadata, deletionTimestamp } };
}

/** The pod, exactly as it was seen, and from now on held; null when it has changed or is gone. */
export function holdPod(client: KubeClient, pod: Exactly & { readonly resourceVersion: string }): Promise<Pod | null> {
  const { namespace, name, uid, resourceVersion } = pod;
  const body = { metadata: { uid, resourceVersion, finalizers: [HOLD_FINALIZER] } };
  const path = podsPath(namespace, name);
  return unlessChanged(client.request<Pod>({ verb: 'PATCH', path, contentType: STRATEGIC_MERGE, body }));
}

/** Lets a pod that was held out of the API; one that is no longer there, or is another one of that name, is as good. */
export async function releasePod(client: KubeClient, { namespace, name, uid }: Exactly): Promise<void> {
  const body = { metadata: { uid, '$deleteFromPrimitiveList/finalizers': [HOLD_FINALIZER] } };
  const path = podsPath(namespace, name);
  await unlessChanged(client.request<Pod>({ verb: 'PATCH', path, contentType: STRATEGIC_MERGE, body, lane: 'tidy' }));
}

export type Propagation = 'Background' | 'Foreground' | 'Orphan';

/** Deletes exactly this Job; false when the name is another Job's now. Gone already is as good. */
export async function deleteJob(
  client: KubeClient,
  { namespace, name, uid }: Exactly,
  propagationPolicy: Propagation,
  lane?: Lane,
): Promise<boolean> {
  if (name === '' || uid === '') throw new TypeError('a Job without name or UID cannot be deleted');
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, preconditions: { uid } };
  try {
    await client.request({ verb: 'DELETE', path: jobsPath(namespace, name), body, lane });
    return true;
  } catch (error) {
    if (isKube(error, 'not_found')) return true;
    if (isKube(error, 'conflict')) return false;
    throw error;
  }
}

/** Writes down what was asked of a run before its pods are taken away. Null: there is no such Job any more. */
export function noteAsked(
  client: KubeClient,
  { namespace, name, uid }: Exactly,
  asked: string | null,
): Promise<Job | null> {
  const body = { metadata: { uid, annotations: { [WITHDRAW_ASKED_ANNOTATION]: asked } } };
  return unlessChanged(client.request<Job>({ verb: 'PATCH', path: jobsPath(namespace, name), body }));
}

/** Writes down which tasks had started before that. */
export function noteLost(client: KubeClient, { namespace, name, uid }: Exactly, tasks: string): Promise<Job | null> {
  const body = { metadata: { uid, annotations: { [WITHDRAW_LOST_ANNOTATION]: tasks } } };
  return unlessChanged(client.request<Job>({ verb: 'PATCH', path: jobsPath(namespace, name), body }));
}

/** The word to go for one pod of a gang, exactly as it was seen; null when it has changed or is gone. */
export function letPodGo(
  client: KubeClient,
  { namespace, name }: Place,
  seen: Pod,
  go: { readonly at: string; readonly deadlineSeconds: number | null },
): Promise<Pod | null> {
  const { uid, resourceVersion } = seen.metadata;
  const body = {
    metadata: { uid, resourceVersion, annotations: { [GO_ANNOTATION]: go.at } },
    ...(go.deadlineSeconds === null ? {} : { spec: { activeDeadlineSeconds: go.deadlineSeconds } }),
  };
  return unlessChanged(client.request<Pod>({ verb: 'PATCH', path: podsPath(namespace, name), body }));
}

/** False when one of that name is there already. */
export async function createService(client: KubeClient, service: Service): Promise<boolean> {
  const { namespace = '' } = service.metadata;
  const made = await unless(
    'already_exists',
    client.request<Service>({ verb: 'POST', path: objectPath('/api/v1', namespace, 'services'), body: service }),
  );
  return made !== null;
}

export function isKube(error: unknown, kind: KubeErrorKind): error is KubeError {
  return error instanceof KubeError && error.kind === kind;
}

async function unless<Value>(kind: KubeErrorKind, answer: Promise<Value>): Promise<Value | null> {
  try {
    return await answer;
  } catch (error) {
    if (isKube(error, kind)) return null;
    throw error;
  }
}

/** Null when it is gone, is another one of its name, or is not as it was seen. */
function unlessChanged<Value>(answer: Promise<Value>): Promise<Value | null> {
  return unless('not_found', unless('conflict', answer));
}
