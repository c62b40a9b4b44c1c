import type { QueuedJob } from './kueue/kueue-types.ts';
import { jobsPath } from './object-path.ts';

type Reader = { request<T>(what: { verb: 'GET'; path: string }): Promise<T> };

/** The Job as the server has it now (a read of the latest, not of its cache); null when it is gone. */
export async function getJob(
  client: Reader,
  { namespace, name }: { readonly namespace: string; readonly name: string },
): Promise<QueuedJob | null> {
  return client
    .request<QueuedJob>({ verb: 'GET', path: jobsPath(namespace, name) })
    .catch((error: { kind?: string }) => {
      if (error.kind === 'not_found') return null;
      throw error;
    });
}
