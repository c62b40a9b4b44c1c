import type { RunStatus, StrayJob } from '@switchyard/agent-runtime/backend.ts';
import type { ForgottenLog } from '@switchyard/agent-runtime/forgotten-log.ts';
import type { Limiter } from '@switchyard/agent-runtime/limiter.ts';
import type { Job } from '../api-types.ts';
import type { Informer } from '../client/informer.ts';
import type { KubeClient } from '../client/kube-client.ts';
import type { KubernetesConfig } from '../config.ts';
import type { PodFacts } from '../facts/pod-facts.ts';
import { type RunFacts, statusOf } from '../facts/run-facts.ts';
import type { JobName } from '../start/job-claim.ts';
import type { Held } from './held-pods.ts';
import type { QueueSight } from './queue-sight.ts';

export type KubeBackendOptions = {
  readonly client: KubeClient;
  readonly config: KubernetesConfig;
  readonly stateDir: string;
  /** The name of this cluster in the federation. */
  readonly cluster: string;
  /** Whose Jobs are this agent's: those of others in the same namespace are as foreign as everybody's. */
  readonly federation: string;
  readonly now?: () => number;
  readonly log?: { info(sentence: string): void; warn(sentence: string): void };
  readonly patience?: Partial<Patience>;
  /** For tests: what must stay harmless. */
  readonly faults?: { readonly copies?: number };
};

/** Waits that tests make shorter. */
export type Patience = {
  /**
   * How long a create that nobody answered may still arrive. As long after the start of this process, and after a create whose
   * answer was unclear, no Job is deleted: while its name is taken, a late copy of the create makes nothing.
   */
  readonly lateCreateMs: number;
  /** Between the two looks that prove that an object is gone. */
  readonly secondLookMs: number;
  /** How long the pods of a Job must have been refused before the Job is given up for a withdrawal. */
  readonly refusedPodsMs: number;
  /** How long a pod may appear after its Job was deleted without it. */
  readonly quarantineMs: number;
  /** How long withdraw and cancel wait for the pod of a Job that was made a moment ago. */
  readonly firstPodMs: number;
  /** How long opening waits for the first lists; without an answer it goes on, and every call throws until there is one. */
  readonly firstListsMs: number;
  /** The informers have heard nothing for so long: the cluster does not answer. */
  readonly silenceMs: number;
};

export const PATIENCE: Patience = {
  lateCreateMs: 90_000,
  secondLookMs: 3000,
  refusedPodsMs: 30_000,
  quarantineMs: 10_000,
  firstPodMs: 4000,
  firstListsMs: 10_000,
  silenceMs: 45_000,
};

/** A run with what this process is doing about it. */
export type Tracked = {
  readonly facts: RunFacts;
  /** Its status as it was when somebody was last told that it changed. */
  told: string;
  /** One piece of work on its pods at a time: what lets them go and what takes them away never meet. */
  turn: Promise<unknown>;
  /** Names of background work under way. */
  readonly busy: Set<string>;
  /** Background work that failed is not tried again before. */
  readonly notBefore: Map<string, number>;
  /** How often in a row the cluster has refused it. */
  readonly refusals: Map<string, number>;
  /** Until then a create whose answer is unclear may still arrive; 0: all were answered. */
  unclearUntilMs: number;
  /** The broker has heard of it from here, and the cluster has no Job of it. */
  lost: boolean;
  /** A list did not show the Job or a pod of it: to be looked up. */
  missing: boolean;
  /** Its Job was made or read by this process, and not only listed. */
  isRead: boolean;
  /** Its gang's Service is there, as far as this process knows. */
  hasService: boolean;
  killedAtMs: number;
};

/** A Job that nobody needs any more, to be deleted. */
export type Doomed = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  notBeforeMs: number;
  failures: number;
};

/** What the parts of the backend share. */
export type KubeState = {
  readonly options: KubeBackendOptions;
  readonly client: KubeClient;
  readonly config: KubernetesConfig;
  readonly patience: Patience;
  readonly forgotten: ForgottenLog;
  readonly birthMs: number;
  readonly startedMs: number;
  readonly now: () => number;
  readonly warn: (sentence: string) => void;
  readonly runs: Map<string, Tracked>;
  readonly byJobUid: Map<string, string>;
  /** Pods whose run, or whose run's Job, is not known yet; by run, then by UID. */
  readonly earlyPods: Map<string, Map<string, PodFacts>>;
  /** Jobs that carry our marks and whose run is being looked up in the log of the forgotten. */
  readonly arrivals: Map<string, { job: Job; namespace: string }>;
  adopting: Promise<void>;
  readonly strays: Map<string, StrayJob>;
  readonly dirty: Set<string>;
  /** Runs that are to be looked at again by themselves. */
  readonly due: Map<string, number>;
  readonly changed: Set<string>;
  readonly submits: Map<string, Promise<RunStatus>>;
  /** Runs whose create has no answer yet, and until when it may still arrive: also of those that are not tracked. */
  readonly unclear: Map<string, number>;
  readonly doomed: Map<string, Doomed>;
  readonly held: Map<string, Held>;
  readonly deletes: Limiter;
  /** A list that shows nothing has all runs looked up at once, and what somebody waits for asks the same server. */
  readonly looks: Limiter;
  readonly informers: Informer[];
  readonly queues: QueueSight;
  /** Something is dirty: look soon. */
  wake: () => void;
  closed: boolean;
};

export function track(facts: RunFacts): Tracked {
  return {
    facts,
    told: '',
    turn: Promise.resolve(),
    busy: new Set(),
    notBefore: new Map(),
    refusals: new Map(),
    unclearUntilMs: 0,
    lost: false,
    missing: false,
    isRead: false,
    hasService: false,
    killedAtMs: 0,
  };
}

export function touch(state: KubeState, run: Tracked): void {
  state.dirty.add(run.facts.order.runId);
  state.wake();
}

/** Notes whether the run's status is another than the last one that was told. */
export function noteChange(state: KubeState, run: Tracked): void {
  const now = JSON.stringify(statusOf(run.facts));
  if (now === run.told) return;
  run.told = now;
  state.changed.add(run.facts.order.runId);
}

/** Does `work` when nothing else is being done to the run's pods. */
export function inTurn<Result>(run: Tracked, work: () => Promise<Result>): Promise<Result> {
  const mine = run.turn.then(work, work);
  run.turn = mine.catch(() => {});
  return mine;
}

/** While a late copy of a create may still arrive, its name must stay taken. */
export function quietFromMs(state: KubeState, run?: Tracked): number {
  return Math.max(state.startedMs + state.patience.lateCreateMs, run?.unclearUntilMs ?? 0);
}

export function mayDeleteJobs(state: KubeState, run?: Tracked): boolean {
  return state.now() >= quietFromMs(state, run);
}

/** Until then a create of this run that nobody has answered may make its Job. */
export function noteUnclear(state: KubeState, runId: string): number {
  const nowMs = state.now();
  for (const [other, untilMs] of state.unclear) if (untilMs < nowMs) state.unclear.delete(other);
  const untilMs = nowMs + state.patience.lateCreateMs;
  state.unclear.set(runId, untilMs);
  return untilMs;
}

export function mayStillArrive(state: KubeState, runId: string): boolean {
  return state.now() < (state.unclear.get(runId) ?? 0);
}

/** Its Job, for what is asked of exactly this one. */
export function nameOf({ facts }: Tracked): JobName {
  return { namespace: facts.namespace, name: facts.order.marker, uid: facts.jobUid };
}
