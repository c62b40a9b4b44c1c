import type { RunOrder, RunStatus } from '@switchyard/agent-runtime/backend.ts';
import { isArray } from '@switchyard/core/spec/task-set.ts';
import type { Job } from '../api-types.ts';
import { KubeError } from '../client/kube-error.ts';
import { noteEnd, runFacts, statusOf } from '../facts/run-facts.ts';
import { getJob } from '../get-job.ts';
import { bindingOf } from '../manifest/binding.ts';
import { jobManifest } from '../manifest/job-manifest.ts';
import { SPEC_HASH_ANNOTATION } from '../names.ts';
import { jobsPath } from '../object-path.ts';
import { adoptArrivals, keep } from './adopt-runs.ts';
import { isKube } from './kube-objects.ts';
import { type KubeState, mayStillArrive, noteChange, noteUnclear, type Tracked, touch, track } from './kube-state.ts';
import { readJob } from './read-job.ts';
import { takeEarlyPods, takeKnown } from './sinks.ts';

/**
 * Hands a run to the cluster: one create under the name that only this run has. A name that is taken is looked at: our own Job of
 * the same spec is the answer of an earlier create that got lost; anything else is somebody's, and is not touched.
 */
export async function submitRun(state: KubeState, order: RunOrder, observedBefore: boolean): Promise<RunStatus> {
  await state.adopting;
  const known = state.runs.get(order.runId);
  if (known) return statusOf(known.facts);
  const gone = await state.forgotten.find(order.runId);
  if (gone) return gone.status;
  const run = track(factsOf(state, order));
  run.unclearUntilMs = state.unclear.get(order.runId) ?? 0;
  if (observedBefore) return lookForLost(state, run);
  return make(state, run, order);
}

function factsOf(state: KubeState, order: RunOrder) {
  const { spec, ...rest } = order;
  const { nodes = 1 } = spec.resources;
  const record = { order: rest, isArray: isArray(spec), gang: nodes > 1 ? nodes : 0 };
  return runFacts(record, bindingOf(state.config, order.groupPath).namespace);
}

/** The broker has heard of it from here, and nothing here knows it: it may have run. It is never made again. */
async function lookForLost(state: KubeState, run: Tracked): Promise<RunStatus> {
  const { namespace, order } = run.facts;
  const job = await getJob(state.client, { namespace, name: order.marker });
  if (job && isOurs(job, run)) return adopt(state, run, job);
  run.lost = true;
  keep(state, run);
  return statusOf(run.facts);
}

async function make(state: KubeState, run: Tracked, order: RunOrder): Promise<RunStatus> {
  const { config, options } = state;
  const manifest = jobManifest(order, config, { cluster: options.cluster });
  if ('refusal' in manifest) return refuse(state, run, manifest.refusal);
  const prepared = state.queues.prepare(manifest.job);
  if ('refusal' in prepared) return refuse(state, run, prepared.refusal);
  const { namespace } = run.facts;
  const copies = Array.from({ length: options.faults?.copies ?? 1 }, () => create(state, run, prepared.job));
  const answers = await Promise.all(copies);
  const answer = answers.find(({ kind }) => kind === 'made') ?? answers[0]!;
  if (answer.kind === 'made') {
    const status = await adopt(state, run, answer.job);
    const made = state.runs.get(order.runId);
    if (made) made.facts.madeHere = true;
    return status;
  }
  if (answer.kind === 'refused') return refuse(state, run, answer.sentence);
  const { name } = prepared.job.metadata;
  const taken = await getJob(state.client, { namespace, name });
  // It was deleted in between; the Offer comes again.
  if (taken === null) throw new Error(`the Job ${namespace}/${name} was there and is gone`);
  if (isOurs(taken, run)) return adopt(state, run, taken);
  return refuse(state, run, `there is a foreign Job of the name ${namespace}/${name}, which is not touched`);
}

type Answer =
  | { readonly kind: 'made'; readonly job: Job }
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly sentence: string };

/** Throws while it is not certain whether the Job was made: whoever asked asks again. */
async function create(state: KubeState, run: Tracked, job: Job): Promise<Answer> {
  const path = jobsPath(run.facts.namespace);
  try {
    const { value, unclearBefore } = await state.client.requestWithHistory<Job>({
      verb: 'POST',
      path,
      body: job,
      lane: 'submit',
    });
    if (unclearBefore) isUnclear(state, run);
    return { kind: 'made', job: value };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    if (error.unclear) isUnclear(state, run);
    if (error.kind === 'already_exists') return { kind: 'taken' };
    if (!isRefusal(error)) throw error;
    // A quota that an earlier copy has used up refuses the later one, also a copy of an earlier Offer.
    const made = await getJob(state.client, { namespace: run.facts.namespace, name: job.metadata.name });
    if (made) return { kind: 'taken' };
    if (!mayStillArrive(state, run.facts.order.runId)) return { kind: 'refused', sentence: error.sentence };
    throw new Error(`an earlier create of ${job.metadata.name} may still arrive: ${error.message}`);
  }
}

function isUnclear(state: KubeState, run: Tracked): void {
  run.unclearUntilMs = noteUnclear(state, run.facts.order.runId);
}

/** What the same create would be answered again. A namespace that is missing or ending is as good as a refusal. */
function isRefusal(error: KubeError): boolean {
  return ['forbidden', 'invalid', 'not_found'].some((kind) => isKube(error, kind as KubeError['kind']));
}

/** By name, labels, order and spec; a UID that is known must be the same. */
export function isOurs(job: Job, run: Tracked): boolean {
  const read = readJob(job);
  const { order, jobUid } = run.facts;
  if (read.kind !== 'run' || read.record.order.runId !== order.runId) return false;
  if (order.specHash !== '' && job.metadata.annotations?.[SPEC_HASH_ANNOTATION] !== order.specHash) return false;
  return jobUid === '' || jobUid === job.metadata.uid;
}

async function adopt(state: KubeState, run: Tracked, job: Job): Promise<RunStatus> {
  const { runId } = run.facts.order;
  // The watch may have been faster.
  const known = state.runs.get(runId) ?? keep(state, run);
  known.unclearUntilMs = Math.max(known.unclearUntilMs, run.unclearUntilMs);
  known.isRead ||= takeKnown(state, known, run.facts.namespace, job);
  takeEarlyPods(state, known);
  if (state.arrivals.has(runId)) await adoptArrivals(state);
  noteChange(state, known);
  touch(state, known);
  return statusOf(known.facts);
}

function refuse(state: KubeState, run: Tracked, detail: string): RunStatus {
  noteEnd(run.facts, run.facts.tasks, { outcome: 'refused', reason: 'rejected', detail });
  keep(state, run);
  noteChange(state, run);
  return statusOf(run.facts);
}
