import type { Lane } from '../client/kube-request.ts';
import type { QueuedJob } from '../kueue/kueue-types.ts';
import { jobsPath } from '../object-path.ts';
import { START_CLAIM_ANNOTATION } from './start-claim.ts';

/** What of the client is needed here. */
export type JobClient = {
  request<T>(what: {
    verb: 'GET' | 'PATCH';
    path: string;
    query?: Record<string, string>;
    body?: unknown;
    contentType?: string;
    lane?: Lane;
  }): Promise<T>;
};

/** A Job of this agent: a later one of the same name has another UID. */
export type JobName = { readonly namespace: string; readonly name: string; readonly uid: string };

/**
 * Writes the claim if the Job is still exactly as it was seen; null when it is not, so that the caller looks again. Repeating it
 * after a lost answer is harmless: the second meets the new resourceVersion, and looking again shows the claim.
 */
export async function claimOnJob(
  client: JobClient,
  name: JobName,
  seen: QueuedJob,
  text: string,
): Promise<QueuedJob | null> {
  const { resourceVersion } = seen.metadata;
  if (!resourceVersion)
    throw new Error(`the Job ${name.name} was read without a resourceVersion, so it cannot be claimed`);
  return client
    .request<QueuedJob>({
      verb: 'PATCH',
      path: jobsPath(name.namespace, name.name),
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: name.uid, resourceVersion, annotations: { [START_CLAIM_ANNOTATION]: text } } },
    })
    .catch((error: { kind?: string }) => {
      if (error.kind === 'conflict' || error.kind === 'not_found') return null;
      throw error;
    });
}
