import { deleteJob } from './kube-objects.ts';
import { type Doomed, type KubeState, quietFromMs, type Tracked } from './kube-state.ts';

const FIRST_PAUSE_MS = 2000;
const LONGEST_PAUSE_MS = 300_000;

/**
 * The Job is to go, as soon as no late copy of its create can take its name; what cannot be deleted its ttl removes.
 * It stays in the list until it is seen to be gone: events about it may still be on their way.
 */
export function doom(state: KubeState, job: Pick<Doomed, 'namespace' | 'name' | 'uid'>, run?: Tracked): void {
  if (job.uid === '' || state.doomed.has(job.uid)) return;
  const quietMs = quietFromMs(state, run);
  const doomed: Doomed = { ...job, notBeforeMs: quietMs, failures: 0 };
  state.doomed.set(job.uid, doomed);
  if (state.now() >= quietMs) void execute(state, doomed);
}

/** Those whose time has come. */
export function deleteDoomed(state: KubeState): void {
  for (const job of state.doomed.values()) if (state.now() >= job.notBeforeMs) void execute(state, job);
}

async function execute(state: KubeState, job: Doomed): Promise<void> {
  job.notBeforeMs = Number.POSITIVE_INFINITY;
  try {
    await state.deletes(async () => {
      if (!state.closed) await deleteJob(state.client, job, 'Background', 'tidy');
    });
  } catch (error) {
    job.failures += 1;
    job.notBeforeMs = state.now() + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** job.failures);
    if (!state.closed)
      state.warn(`the Job ${job.namespace}/${job.name} could not be deleted: ${(error as Error).message}`);
  }
}
