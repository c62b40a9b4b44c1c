import { parseMarker } from '@switchyard/core/spec/marker.ts';
import { getJob } from '../get-job.ts';
import { namespacesOf } from '../manifest/binding.ts';
import { parseNativeId } from '../names.ts';
import { doom } from './doomed-jobs.ts';
import type { KubeState } from './kube-state.ts';
import { readOurJob } from './read-job.ts';

/** Deletes a Job that carries our marks and that no run holds, after it was read again; every other Job is left alone. */
export async function cancelStray(state: KubeState, stray: { nativeId: string; runId: string }): Promise<void> {
  const place = parseNativeId(stray.nativeId);
  if (place === null || !namespacesOf(state.config).includes(place.namespace)) return;
  if (parseMarker(place.name)?.runId !== stray.runId) return;
  const job = await getJob(state.client, place);
  const { uid } = job?.metadata ?? {};
  if (!job || !uid || readOurJob(job, state.options.federation).kind === 'foreign') return;
  const run = state.runs.get(stray.runId);
  if (run && (run.facts.jobUid === uid || run.facts.jobUid === '')) return;
  if (!state.strays.has(stray.nativeId)) return;
  state.strays.delete(stray.nativeId);
  doom(state, { ...place, uid });
}
