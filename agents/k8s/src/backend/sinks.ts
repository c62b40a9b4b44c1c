import { parseMarker } from '@switchyard/core/spec/marker.ts';
import type { Event, Job, Pod } from '../api-types.ts';
import type { Sink } from '../client/informer.ts';
import { jobFacts, mergeJob } from '../facts/job-facts.ts';
import { momentMs } from '../facts/moment.ts';
import { mergePod, type PodFacts, podFacts } from '../facts/pod-facts.ts';
import { shorten } from '../facts/run-facts.ts';
import { CONTROLLER_UID_LABEL, RUN_LABEL } from '../names.ts';
import { noteHeld } from './held-pods.ts';
import { type KubeState, type Tracked, touch } from './kube-state.ts';
import { readOurJob } from './read-job.ts';

/** The Jobs of one namespace that carry the labels of our federation. */
export function jobSink(state: KubeState, namespace: string, arrive: (runId: string) => void): Sink<Job> {
  /** Only while a list is under way: of all that the watch brings it would grow for ever. */
  let seen: Set<string> | null = null;
  let before: ReadonlySet<string> = new Set();
  return {
    begin: () => {
      seen = new Set();
      // What is made while the list is under way may be missing from it.
      before = new Set(runsIn(state, namespace).map((run) => run.facts.order.runId));
    },
    put: (job) => {
      const knownBy = takeJob(state, namespace, job, arrive);
      if (knownBy === null) return;
      seen?.add(knownBy);
      // Its run may be forgotten while the list is under way, and then it is doomed by this.
      seen?.add(job.metadata.uid ?? '');
    },
    remove: (job) => loseJob(state, namespace, job),
    synced: () => {
      const listed = seen ?? new Set();
      seen = null;
      for (const nativeId of state.strays.keys())
        if (nativeId.startsWith(`${namespace}/`) && !listed.has(nativeId)) state.strays.delete(nativeId);
      for (const job of state.doomed.values())
        if (job.namespace === namespace && !listed.has(job.uid)) state.doomed.delete(job.uid);
      for (const run of runsIn(state, namespace)) {
        const { runId } = run.facts.order;
        if (!before.has(runId) || listed.has(runId) || run.facts.jobUid === '' || run.facts.jobGone) continue;
        run.missing = true;
        touch(state, run);
      }
    },
  };
}

/** One version of a Job; gives what it is known by. A run that nobody knows yet is looked up among the forgotten first. */
export function takeJob(state: KubeState, namespace: string, job: Job, arrive: (runId: string) => void): string | null {
  const { uid = '', creationTimestamp } = job.metadata;
  if (state.doomed.has(uid)) return uid;
  const read = readOurJob(job, state.options.federation);
  if (read.kind === 'foreign') return null;
  const nativeId = `${namespace}/${job.metadata.name}`;
  if (read.kind === 'stray') {
    const { federation, runId } = read;
    const run = state.runs.get(runId);
    // Somebody changed the annotations of a Job that is known: it is what it was.
    if (run && run.facts.jobUid === job.metadata.uid) {
      mergeInto(state, run, job);
      return runId;
    }
    state.strays.set(nativeId, {
      ...{ nativeId, federation, runId, nativeState: job.spec?.suspend ? 'Suspended' : 'Unreadable' },
      nativeSubmittedAtMs: momentMs(creationTimestamp),
    });
    return nativeId;
  }
  state.strays.delete(nativeId);
  const { runId } = read.record.order;
  const run = state.runs.get(runId);
  if (run) takeKnown(state, run, namespace, job);
  else {
    state.arrivals.set(runId, { job, namespace });
    arrive(runId);
  }
  return runId;
}

/** A version of the Job of a run that is known; another Job of the same name is not touched. */
export function takeKnown(state: KubeState, run: Tracked, namespace: string, job: Job): boolean {
  const { facts } = run;
  const { uid = '' } = job.metadata;
  if (uid === '' || facts.namespace !== namespace || (facts.jobUid !== '' && facts.jobUid !== uid)) return false;
  if (facts.jobUid === '' && facts.ended.length > 0 && !facts.placed) return false;
  mergeInto(state, run, job);
  return true;
}

function mergeInto(state: KubeState, run: Tracked, job: Job): void {
  const { facts } = run;
  const isNew = facts.jobUid === '';
  facts.jobUid = job.metadata.uid ?? '';
  state.byJobUid.set(facts.jobUid, facts.order.runId);
  facts.job = mergeJob(facts.job, jobFacts(job));
  facts.asked = facts.job.asked ?? facts.asked;
  facts.cancelWanted ||= facts.asked === 'cancel';
  facts.placed = true;
  facts.submittedAtMs ||= facts.job.createdAtMs;
  run.lost = false;
  if (isNew) takeEarlyPods(state, run);
  touch(state, run);
}

/** The event names the very object that went. */
function loseJob(state: KubeState, namespace: string, job: Job): void {
  const nativeId = `${namespace}/${job.metadata.name}`;
  state.strays.delete(nativeId);
  state.doomed.delete(job.metadata.uid ?? '');
  const runId = parseMarker(job.metadata.name ?? '')?.runId ?? '';
  state.arrivals.delete(runId);
  const run = state.runs.get(runId);
  if (!run || run.facts.jobUid === '' || run.facts.jobUid !== job.metadata.uid) return;
  mergeInto(state, run, job);
  run.facts.jobGone = true;
  touch(state, run);
}

/** The pods of one namespace that carry the labels of our federation. Only what a Job of ours controls, by its UID, is ours. */
export function podSink(state: KubeState, namespace: string): Sink<Pod> {
  let seen: Set<string> | null = null;
  let before: ReadonlySet<string> = new Set();
  return {
    begin: () => {
      seen = new Set();
      before = new Set(runsIn(state, namespace).flatMap((run) => [...run.facts.pods.keys()]));
    },
    put: (pod) => {
      seen?.add(pod.metadata.uid ?? '');
      takePod(state, pod);
    },
    remove: (pod) => takePod(state, pod, true),
    synced: () => {
      const listed = seen ?? new Set();
      seen = null;
      for (const run of runsIn(state, namespace))
        for (const pod of run.facts.pods.values()) {
          if (pod.gone || listed.has(pod.uid) || !before.has(pod.uid)) continue;
          run.missing = true;
          touch(state, run);
        }
    },
  };
}

/** One version of a pod, or its last one. */
export function takePod(state: KubeState, pod: Pod, isGone = false): void {
  const runId = pod.metadata.labels?.[RUN_LABEL];
  const read = podFacts(pod, state.now());
  if (!runId || !read) return;
  // Its last version came with the word that it went: it was not bound after.
  const deletedAtMs = read.deletedAtMs || (isGone && read.node === '' ? state.now() : 0);
  const facts = { ...read, gone: isGone, deletedAtMs };
  takeFacts(state, runId, facts);
  noteHeld(state, pod.metadata.namespace ?? '', runId, facts);
}

/** A pod of a Job that was deleted without it: nobody controls it any more, and its label still says whose it was. */
export function takeOrphan(state: KubeState, run: Tracked, pod: Pod): void {
  const read = podFacts(pod, state.now());
  const isOurs = pod.metadata.labels?.[CONTROLLER_UID_LABEL] === run.facts.jobUid;
  if (read && isOurs) takeFacts(state, run.facts.order.runId, { ...read, jobUid: run.facts.jobUid });
}

function takeFacts(state: KubeState, runId: string, facts: PodFacts): void {
  const run = state.runs.get(runId);
  if (run && run.facts.jobUid !== '') keepPod(state, run, facts);
  else if (facts.gone) {
    const early = state.earlyPods.get(runId);
    early?.delete(facts.uid);
    if (early?.size === 0) state.earlyPods.delete(runId);
  } else {
    const early = state.earlyPods.get(runId) ?? new Map<string, PodFacts>();
    early.set(facts.uid, mergePod(early.get(facts.uid), facts));
    state.earlyPods.set(runId, early);
  }
}

function keepPod(state: KubeState, run: Tracked, facts: PodFacts): void {
  const { pods, jobUid } = run.facts;
  const known = pods.get(facts.uid);
  if ((known?.jobUid ?? facts.jobUid) !== jobUid) return;
  pods.set(facts.uid, mergePod(known, facts));
  run.facts.createFailure = null;
  touch(state, run);
}

export function takeEarlyPods(state: KubeState, run: Tracked): void {
  const { runId } = run.facts.order;
  for (const facts of state.earlyPods.get(runId)?.values() ?? []) keepPod(state, run, facts);
  state.earlyPods.delete(runId);
}

/** Events of Jobs whose pods are refused: by a quota, by an admission. */
export function createFailureSink(state: KubeState): Sink<Event> {
  return {
    begin: () => {},
    synced: () => {},
    remove: () => {},
    put: ({ involvedObject, message = '', reason }) => {
      const runId = parseMarker(involvedObject?.name ?? '')?.runId;
      const run = runId === undefined ? undefined : state.runs.get(runId);
      if (!run || reason !== 'FailedCreate' || involvedObject.uid !== run.facts.jobUid) return;
      const { createFailure, pods } = run.facts;
      // An array may have pods and be refused more of them.
      if (pods.size > 0 && !run.facts.isArray && run.facts.gang === 0) return;
      run.facts.createFailure = {
        message: shorten(message.replace(/^Error creating: /, '')),
        sinceMs: createFailure?.sinceMs ?? state.now(),
      };
      touch(state, run);
    },
  };
}

function runsIn(state: KubeState, namespace: string): Tracked[] {
  return [...state.runs.values()].filter((run) => run.facts.namespace === namespace);
}
