import { parseMarker } from '@switchyard/core/spec/marker.ts';
import type { Job } from '../api-types.ts';
import { startInformer } from '../client/informer.ts';
import { isOver as hasPodEnded } from '../facts/pod-facts.ts';
import { hasEnded } from '../facts/run-facts.ts';
import { detectKueue, type Kueue, kueuePath } from '../kueue/detect-kueue.ts';
import { evictionEnd, mustBeDeactivated } from '../kueue/eviction-end.ts';
import type { KueueVersion, QueuedJob, Workload } from '../kueue/kueue-types.ts';
import { queuedState } from '../kueue/native-state.ts';
import { deactivateWorkloads, withdrawWorkload } from '../kueue/withdraw-workload.ts';
import type { WorkloadFacts } from '../kueue/workload-facts.ts';
import { WorkloadStore } from '../kueue/workload-store.ts';
import { namespacesOf, queuesOf } from '../manifest/binding.ts';
import { QUEUE_NAME_LABEL } from '../names.ts';
import { START_CLAIM_ANNOTATION, startClaimOf, withStartGate } from '../start/start-claim.ts';
import { inBackground, isRested } from './background.ts';
import { inTurn, type KubeState, nameOf, type Tracked, touch } from './kube-state.ts';

const LEAST_PARALLELISM_ANNOTATION = 'kueue.x-k8s.io/job-min-parallelism';

/** What Kueue has to do with runs; nothing, where no queue is configured. */
export type QueueSight = {
  /** Known whether there is a Kueue. */
  isSettled(): boolean;
  kueue(): Kueue | null;
  stores(): ReadonlyMap<string, WorkloadStore>;
  /** As the Job is to be made; or why it cannot be, as a sentence. */
  prepare(job: Job): { readonly job: Job } | { readonly refusal: string };
  /** Brings what Kueue says into the run's facts, before they are settled. */
  look(run: Tracked): void;
  /** Gives quota back that nothing will use. */
  follow(run: Tracked): void;
  withdraw(run: Tracked): Promise<'withdrawn' | 'open' | 'not queued'>;
};

/** Asks once which Kueue there is, again while nobody answers, and then watches its Workloads. */
export function queueSight(getState: () => KubeState): QueueSight {
  let found: Kueue | null = null;
  let isSettled = false;
  const stores = new Map<string, WorkloadStore>();

  const start = async () => {
    const state = getState();
    if (queuesOf(state.config).length > 0) found = await detectKueue(state.client);
    isSettled = true;
    if (found === null || state.closed) return;
    const { version } = found;
    const queued = new Set(queuesOf(state.config).map(({ namespace }) => namespace));
    for (const namespace of namespacesOf(state.config).filter((each) => queued.has(each))) {
      const store = new WorkloadStore({
        gpuResource: state.config.gpuResource,
        isOurs: (name) => parseMarker(name) !== null,
        changed: (jobUid) => {
          touchJob(state, jobUid);
          switchLateOneOff(state, version, jobUid, store.ofJob(jobUid));
        },
      });
      stores.set(namespace, store);
      const { client, options } = state;
      const log = options.log ?? { info: () => {}, warn: () => {} };
      const path = kueuePath(version, 'workloads', namespace);
      state.informers.push(startInformer<Workload>({ client, path, sink: store, log }));
    }
  };
  const tryToStart = () => {
    const state = getState();
    start().catch((error: Error) => {
      if (state.closed) return;
      state.warn(`whether there is a Kueue is not known: ${error.message}`);
      setTimeout(tryToStart, 2000).unref();
    });
  };
  setImmediate(tryToStart);

  const workloadOf = ({ facts }: Tracked) => stores.get(facts.namespace)?.ofJob(facts.jobUid) ?? null;
  const evictionOf = (run: Tracked) => {
    const pods = [...run.facts.pods.values()].filter(({ gone }) => !gone);
    const live = pods.filter((pod) => !pod.gated && !hasPodEnded(pod)).length;
    const held = pods.filter((pod) => pod.gated && pod.deletedAtMs === 0).length;
    return evictionEnd(queuedJob(run), workloadOf(run), { live, held });
  };

  return {
    isSettled: () => isSettled,
    kueue: () => found,
    stores: () => stores,
    prepare: (job) => {
      const queue = job.metadata.labels?.[QUEUE_NAME_LABEL];
      if (queue === undefined) return { job: withStartGate(job) };
      if (found !== null) return { job: withStartGate(asFarAsItFits(job)) };
      return { refusal: `jobs of this group go through the LocalQueue ${queue}, and the cluster has no Kueue` };
    },
    look: (run) => {
      const { facts } = run;
      if (!facts.job?.queue) return;
      const workload = workloadOf(run);
      const place = (workload && stores.get(facts.namespace)?.placeOf(workload)) ?? null;
      facts.queue = queuedState(facts.job.queue, workload, startClaimOf(queuedJob(run)), place);
      const verdict = evictionOf(run);
      facts.eviction = verdict.kind === 'preempted' ? verdict.detail : null;
      facts.evictionConfirmed = verdict.kind === 'preempted' && verdict.confirmed;
    },
    follow: (run) => {
      const { facts } = run;
      const version = found?.version;
      if (!facts.job?.queue || facts.jobGone || version === undefined) return;
      const state = getState();
      const workload = workloadOf(run);
      // What is left of a run that is over (tasks taken back before they had a pod) must not hold its quota.
      const isOver = hasEnded(facts) && facts.job.finished === null && workload?.active === true;
      const isIdle = isOver || (workload !== null && mustBeDeactivated(queuedJob(run), workload, evictionOf(run)));
      if (isIdle && isRested(run, 'deactivate', state.now()))
        inBackground(state, run, 'deactivate', () => deactivateWorkloads(state.client, version, nameOf(run)));
    },
    withdraw: async (run) => {
      const { facts } = run;
      if (!facts.job?.queue || found === null) return 'not queued';
      const state = getState();
      const { version } = found;
      const { kind } = await inTurn(run, () => withdrawWorkload(state.client, version, nameOf(run)));
      if (kind === 'gone') run.missing = true;
      return kind === 'withdrawn' ? 'withdrawn' : 'open';
    },
  };
}

/** An array that is larger than the quota starts with as many tasks at a time as fit, instead of never (Kueue's partial admission). */
function asFarAsItFits(job: Job): Job {
  if (job.spec.backoffLimitPerIndex === undefined || (job.spec.parallelism ?? 1) <= 1) return job;
  const annotations = { ...job.metadata.annotations, [LEAST_PARALLELISM_ANNOTATION]: '1' };
  return { ...job, metadata: { ...job.metadata, annotations } };
}

function touchJob(state: KubeState, jobUid: string): void {
  const run = state.runs.get(state.byJobUid.get(jobUid) ?? '');
  if (run) touch(state, run);
}

/**
 * Kueue may make the Workload after its run was taken back, ended and was forgotten. Until the Job is deleted, which may have to
 * wait, it would ask for quota, and get it.
 */
function switchLateOneOff(
  state: KubeState,
  version: KueueVersion,
  jobUid: string,
  workload: WorkloadFacts | null,
): void {
  const job = state.doomed.get(jobUid);
  if (!job || !Number.isFinite(job.notBeforeMs) || !workload?.active || workload.finished || workload.deleting) return;
  deactivateWorkloads(state.client, version, job).catch((error: Error) =>
    state.warn(`the Workload ${workload.namespace}/${workload.name} is not switched off: ${error.message}`),
  );
}

/** The parts of the Job that Kueue's rules read. */
function queuedJob({ facts }: Tracked): QueuedJob {
  const { job, jobUid: uid, order, namespace } = facts;
  return {
    metadata: {
      ...{ name: order.marker, namespace, uid, generation: job?.generation ?? 0 },
      ...(job?.deleting ? { deletionTimestamp: '1970-01-01T00:00:01Z' } : {}),
      annotations: job?.startClaim == null ? {} : { [START_CLAIM_ANNOTATION]: job.startClaim },
    },
    spec: { suspend: job?.suspended === true, template: { spec: { containers: [] } } },
    status: job?.finished
      ? { conditions: [{ type: job.finished.kind === 'complete' ? 'Complete' : 'Failed', status: 'True' }] }
      : {},
  };
}
