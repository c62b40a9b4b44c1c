import { hasEnded, runFacts } from '../facts/run-facts.ts';
import { doom } from './doomed-jobs.ts';
import { type KubeState, type Tracked, touch, track } from './kube-state.ts';
import { readJob } from './read-job.ts';
import { takeKnown } from './sinks.ts';

/**
 * Takes in the Jobs of runs that this process does not know: made by an earlier one, or by a create whose answer was lost. Those
 * of forgotten runs are leftovers, and go.
 */
export function adoptArrivals(state: KubeState): Promise<void> {
  state.adopting = state.adopting
    .then(async () => {
      const runIds = [...state.arrivals.keys()];
      const forgotten = await state.forgotten.among(runIds);
      for (const runId of runIds) adopt(state, runId, forgotten.has(runId));
    })
    .catch((error: Error) => state.warn(error.message));
  return state.adopting;
}

function adopt(state: KubeState, runId: string, isForgotten: boolean): void {
  const arrival = state.arrivals.get(runId);
  state.arrivals.delete(runId);
  if (!arrival) return;
  const { job, namespace } = arrival;
  if (isForgotten) {
    doom(state, { namespace, name: job.metadata.name, uid: job.metadata.uid ?? '' });
    state.earlyPods.delete(runId);
    return;
  }
  const run = state.runs.get(runId) ?? adopted(state, arrival);
  if (run) takeKnown(state, run, namespace, job);
}

function adopted(state: KubeState, { job, namespace }: { job: Parameters<typeof readJob>[0]; namespace: string }) {
  const read = readJob(job);
  return read.kind === 'run' ? keep(state, track(runFacts(read.record, namespace))) : null;
}

export function keep(state: KubeState, run: Tracked): Tracked {
  state.runs.set(run.facts.order.runId, run);
  if (hasEnded(run.facts)) state.changed.add(run.facts.order.runId);
  touch(state, run);
  return run;
}
