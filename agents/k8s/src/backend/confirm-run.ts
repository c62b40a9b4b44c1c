import { setTimeout as delay } from 'node:timers/promises';
import { noteEnd, openTasks } from '../facts/run-facts.ts';
import { getJob } from '../get-job.ts';
import { getPod, listPods } from './kube-objects.ts';
import { type KubeState, type Tracked, touch } from './kube-state.ts';
import { takeKnown, takePod } from './sinks.ts';
import { isOurs } from './submit-run.ts';

/**
 * Looks up what a list did not show. Lists may be old: an object is gone when it was not found twice, some seconds apart, and a
 * pod that nobody knew may turn up.
 */
export async function confirmRun(state: KubeState, run: Tracked): Promise<void> {
  const first = await state.looks(() => look(state, run));
  if (first.job === 'there' && first.absent.size === 0 && !isJobOver(run)) return found(run);
  await delay(state.patience.secondLookMs);
  const second = await state.looks(() => look(state, run));
  const { facts } = run;
  for (const uid of second.absent) {
    const pod = facts.pods.get(uid);
    if (pod && first.absent.has(uid)) facts.pods.set(uid, { ...pod, gone: true });
  }
  if (first.job === 'absent' && second.job === 'absent') isGone(run);
  if (facts.jobGone || isJobOver(run)) facts.podsConfirmed = true;
  found(run);
  touch(state, run);
}

function found(run: Tracked): void {
  run.missing = false;
}

function isJobOver({ facts }: Tracked): boolean {
  return facts.job?.finished != null;
}

/** A run whose Job this process never saw: nobody can say what became of it. */
function isGone(run: Tracked): void {
  const { facts } = run;
  if (facts.placed) {
    facts.jobGone = true;
    return;
  }
  run.lost = false;
  const detail = 'the cluster has no Job of it any more, and this agent never saw how it ended';
  const end = facts.cancelWanted
    ? ({ outcome: 'cancelled', reason: 'cancelled_by_user' } as const)
    : ({ outcome: 'failed', reason: 'unknown_end', detail } as const);
  noteEnd(facts, openTasks(facts), end);
}

type Look = { readonly job: 'there' | 'absent'; readonly absent: ReadonlySet<string> };

async function look(state: KubeState, run: Tracked): Promise<Look> {
  const { facts } = run;
  const { namespace, order } = facts;
  const job = await getJob(state.client, { namespace, name: order.marker });
  const isThere = job !== null && (facts.jobUid !== '' || isOurs(job, run)) && takeKnown(state, run, namespace, job);
  if (facts.jobUid === '') return { job: 'absent', absent: new Set() };
  const listed = await listPods(state.client, namespace, facts.jobUid);
  for (const pod of listed) takePod(state, pod);
  const shown = new Set(listed.map(({ metadata }) => metadata.uid));
  const absent = new Set<string>();
  for (const known of [...facts.pods.values()]) {
    if (known.gone || shown.has(known.uid)) continue;
    const pod = await getPod(state.client, { namespace, name: known.name });
    if (pod?.metadata.uid === known.uid) takePod(state, pod);
    else absent.add(known.uid);
  }
  return { job: isThere ? 'there' : 'absent', absent };
}
