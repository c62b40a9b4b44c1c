import { setTimeout as delay } from 'node:timers/promises';
import type { Backend, RunStatus } from '@switchyard/agent-runtime/backend.ts';
import { openForgottenLog } from '@switchyard/agent-runtime/forgotten-log.ts';
import { createLimiter } from '@switchyard/agent-runtime/limiter.ts';
import { oneAtATime } from '@switchyard/agent-runtime/one-at-a-time.ts';
import { seldom } from '@switchyard/agent-runtime/seldom.ts';
import { stateBirthMs } from '@switchyard/agent-runtime/state-birth.ts';
import { withdrawUnknown } from '@switchyard/agent-runtime/withdraw-unknown.ts';
import type { Event, Job, Pod } from '../api-types.ts';
import { bothSinks, startInformer } from '../client/informer.ts';
import { statusOf } from '../facts/run-facts.ts';
import { kubeFingerprint } from '../fingerprint.ts';
import { namespacesOf } from '../manifest/binding.ts';
import { federationSelector } from '../names.ts';
import { jobsPath, objectPath, podsPath } from '../object-path.ts';
import { adoptArrivals } from './adopt-runs.ts';
import { cancelStray } from './cancel-stray.ts';
import { type CapacityWatch, capacityWatch } from './capacity-watch.ts';
import { followRuns } from './follow-runs.ts';
import { forgetRuns, inventory } from './forget-runs.ts';

import { type KubeBackendOptions, type KubeState, mayStillArrive, PATIENCE, type Tracked } from './kube-state.ts';
import { ofLiveNamespaces } from './live-namespaces.ts';
import { watchForNews } from './news.ts';
import { queueSight } from './queue-sight.ts';
import { runLogs } from './run-logs.ts';
import { createFailureSink, jobSink, podSink } from './sinks.ts';
import { submitRun } from './submit-run.ts';
import { cancelRun, withdrawRun } from './withdraw-run.ts';

/** More than the client lets go at once: a place that a create leaves is to be taken by the next, not by what is less urgent. */
const CONCURRENT_SUBMITS = 32;
const DELETES = 8;
const LOOKS = 8;
const LOOK_EVERY_MS = 20;
const NEXT_OBSERVE_MS = 2000;

/**
 * A Kubernetes cluster as a Backend: one Job for each run, under the name that only this run has. Everything it knows is rebuilt
 * from the cluster's objects and the log of the forgotten; what is new comes by watches. It opens without the API server.
 */
export async function kubeBackend(options: KubeBackendOptions): Promise<Backend> {
  const state = await openState(options);
  const capacity = capacityWatch(state);
  const logs = runLogs(state);
  const news = watchForNews(state);
  startInformers(state, capacity);
  await firstLists(state);
  const needsAnswer = () => {
    const problem = whyNotReady(state);
    if (problem !== null) throw new Error(problem);
  };
  return {
    kind: 'kubernetes',
    fingerprint: () => kubeFingerprint(state.client),
    capacity: () => capacity.report(),
    concurrentSubmits: CONCURRENT_SUBMITS,
    submit: async (order, { observedBefore }) => {
      needsAnswer();
      return oneAtATime(state.submits, order.runId, () => submitRun(state, order, observedBefore));
    },
    observe: async () => {
      needsAnswer();
      await state.adopting;
      followRuns(state);
      const changed = [...state.changed].flatMap((runId) => state.runs.get(runId) ?? []);
      state.changed.clear();
      return { changed: changed.map(({ facts }) => statusOf(facts)), strays: [...state.strays.values()] };
    },
    withdraw: (runId) => withKnown(state, runId, withdrawRun, needsAnswer),
    cancel: (runId) => withKnown(state, runId, cancelRun, needsAnswer),
    forget: (runIds) => forgetRuns(state, runIds),
    cancelStray: (stray) => cancelStray(state, stray),
    readLog: (request) => logs.read(request),
    logTails: (runId) => logs.tails(runId),
    inventory: async (forgottenAbove) => {
      needsAnswer();
      await state.adopting;
      return inventory(state, forgottenAbove);
    },
    nextObserveMs: () => NEXT_OBSERVE_MS,
    onNews: news.listen,
    close: async () => {
      state.closed = true;
      news.close();
      logs.close();
      await state.client.close();
      await Promise.all([capacity.close(), ...state.informers.map((informer) => informer.close())]);
      await Promise.allSettled(state.submits.values());
    },
  };
}

async function openState(options: KubeBackendOptions): Promise<KubeState> {
  const now = options.now ?? Date.now;
  const state: KubeState = {
    options,
    client: options.client,
    config: options.config,
    patience: { ...PATIENCE, ...options.patience },
    forgotten: await openForgottenLog(options.stateDir, now),
    birthMs: await stateBirthMs(options.stateDir),
    startedMs: now(),
    now,
    warn: seldom(options.log?.warn ?? (() => {}), now),
    runs: new Map(),
    byJobUid: new Map(),
    earlyPods: new Map(),
    arrivals: new Map(),
    adopting: Promise.resolve(),
    strays: new Map(),
    dirty: new Set(),
    due: new Map(),
    changed: new Set(),
    submits: new Map(),
    unclear: new Map(),
    doomed: new Map(),
    held: new Map(),
    deletes: createLimiter(DELETES),
    looks: createLimiter(LOOKS),
    informers: [],
    queues: queueSight(() => state),
    wake: () => {},
    closed: false,
  };
  return state;
}

function startInformers(state: KubeState, capacity: CapacityWatch): void {
  const { client, config, options } = state;
  const log = options.log ?? { info: () => {}, warn: () => {} };
  const labelSelector = federationSelector(options.federation);
  const arrive = () => void adoptArrivals(state);
  for (const namespace of namespacesOf(config)) {
    state.informers.push(
      startInformer<Job>({
        client,
        path: jobsPath(namespace),
        labelSelector,
        sink: jobSink(state, namespace, arrive),
        log,
      }),
      startInformer<Pod>({
        client,
        path: podsPath(namespace),
        labelSelector,
        sink: bothSinks(podSink(state, namespace), capacity.ownPods()),
        log,
      }),
      startInformer<Event>({
        client,
        path: objectPath('/api/v1', namespace, 'events'),
        fieldSelector: 'reason=FailedCreate,involvedObject.kind=Job',
        sink: createFailureSink(state),
        log,
      }),
    );
  }
}

async function firstLists(state: KubeState): Promise<void> {
  const untilMs = state.now() + state.patience.firstListsMs;
  while (state.now() < untilMs && whyNotReady(state) !== null) await delay(LOOK_EVERY_MS);
}

function whyNotReady(state: KubeState): string | null {
  if (!state.queues.isSettled()) return 'the API server has not said yet whether there is a Kueue';
  if (!state.informers.every((informer) => informer.isSynced())) return 'Jobs and pods have not been listed yet';
  const silentMs = Math.max(...ofLiveNamespaces(state.informers).map((informer) => informer.silentMs()));
  if (silentMs <= state.patience.silenceMs) return null;
  return `the API server has not been heard for ${Math.round(silentMs / 1000)} s`;
}

async function withKnown(
  state: KubeState,
  runId: string,
  act: (state: KubeState, run: Tracked) => Promise<RunStatus>,
  needsAnswer: () => void,
): Promise<RunStatus> {
  needsAnswer();
  await state.adopting;
  const run = state.runs.get(runId);
  if (run) return act(state, run);
  const submitting = state.submits.get(runId);
  if (!submitting) return oneAtATime(state.submits, runId, () => takeBackUnknown(state, runId));
  await submitting.catch(() => {});
  return withKnown(state, runId, act, needsAnswer);
}

/** Never offered here, as far as this process knows; a create without an answer may be one that nobody here knows of any more. */
async function takeBackUnknown(state: KubeState, runId: string): Promise<RunStatus> {
  const { now, startedMs, patience, config } = state;
  // What an earlier process asked for ended with its connections: this is for what the server had read of it by then.
  const youngMs = Math.min(patience.lateCreateMs, config.requestTimeoutMs);
  const gone = await state.forgotten.find(runId);
  if (gone) return gone.status;
  if (mayStillArrive(state, runId) || now() < startedMs + youngMs)
    throw new Error(`a create of run ${runId} may still arrive`);
  return withdrawUnknown({ ...state, store: NOTHING_STORED }, runId);
}

/** There are no directories here that something could still start from. */
const NOTHING_STORED = { removeUnstarted: async () => [] };
