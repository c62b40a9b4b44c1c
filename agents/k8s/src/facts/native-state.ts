import { isLetGo, whatIsMissing } from './gang.ts';
import { isOver, type PodFacts } from './pod-facts.ts';
import { type RunFacts, shorten } from './run-facts.ts';

/** Sets what the cluster itself calls the run's state, and its own sentence for why it waits. */
export function nativeStateOf(run: RunFacts): void {
  const { state, reason } = current(run);
  run.nativeState = state;
  run.nativeReason = shorten(reason);
}

type Native = { readonly state: string; readonly reason: string };

function current(run: RunFacts): Native {
  const { job } = run;
  if (run.jobGone) return { state: 'Deleted', reason: '' };
  if (job === null) return { state: run.placed ? 'Pending' : '', reason: '' };
  if (job.finished) return finished(job.finished);
  if (job.deleting) return { state: 'Terminating', reason: '' };
  if (run.queue && (job.suspended || run.pods.size === 0)) return run.queue;
  if (job.suspended) return { state: 'Suspended', reason: '' };
  return ofPods(run);
}

function finished({ kind, reason, message }: { kind: 'complete' | 'failed'; reason: string; message: string }): Native {
  return kind === 'complete' ? { state: 'Complete', reason: '' } : { state: 'Failed', reason: message || reason };
}

/** Of several pods the one that says most about what is still to come. */
function ofPods(run: RunFacts): Native {
  const pods = [...run.pods.values()].filter((pod) => !pod.gone);
  const running = pods.some(({ container }) => container.kind === 'running');
  if (run.behind > 0)
    return { state: 'Pending', reason: `job ${run.behind}, also of several nodes, gets its nodes first` };
  if (run.gang > 0 && !isLetGo(run) && pods.length > 0) return { state: 'Pending', reason: whatIsMissing(run) };
  const waiting = pods.find(
    (pod) => !isOver(pod) && pod.container.kind !== 'running' && pod.container.kind !== 'terminated',
  );
  if (running) return { state: 'Running', reason: waiting ? waitingState(waiting).reason : '' };
  if (waiting) return waitingState(waiting);
  if (run.createFailure) return { state: 'Pending', reason: run.createFailure.message };
  const last = pods.at(-1);
  if (last?.phase === 'Failed') return { state: 'Failed', reason: last.message || last.reason };
  return { state: last?.phase === 'Succeeded' ? 'Succeeded' : 'Pending', reason: '' };
}

function waitingState({ deletedAtMs, node, unschedulable, container }: PodFacts): Native {
  if (deletedAtMs > 0) return { state: 'Terminating', reason: '' };
  if (node === '') return { state: 'Pending', reason: unschedulable };
  if (container.kind !== 'waiting') return { state: 'ContainerCreating', reason: '' };
  return { state: container.reason || 'ContainerCreating', reason: container.message };
}
