import { createHash } from 'node:crypto';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import { count, difference, parseRangeSet } from '@switchyard/core/spec/range-set.ts';
import { taskSet } from '@switchyard/core/spec/task-set.ts';
import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import type { Offer } from '@switchyard/proto/switchyard/v1/agent.ts';
import type { RunOrder, RunStatus } from '../backend.ts';
import { type LocalPolicy, policyRefusal } from '../local-policy.ts';

export type OfferCheck =
  | { readonly ok: true; readonly order: RunOrder }
  /** Nothing was done and nothing will be: a status that says so, with the reason as a sentence. */
  | { readonly ok: false; readonly refusal: RunStatus };

export type OfferRules = {
  readonly federation: string;
  readonly kind: 'slurm' | 'lsf' | 'kubernetes' | 'local';
  readonly policy: LocalPolicy;
  readonly nativeOptions: readonly string[];
};

/**
 * What an Offer must be before anything acts on it, in this order: the hash is that of exactly these bytes, they are JSON, the
 * spec is one that this agent's own schema knows whole (an older agent must not drop a field silently), the tasks are the
 * job's, and the site's policy allows it.
 */
export function checkOffer(offer: Offer, rules: OfferRules): OfferCheck {
  const refuse = (sentence: string): OfferCheck => ({ ok: false, refusal: refusalOf(offer, sentence) });
  const hash = createHash('sha256').update(offer.specJson).digest('hex');
  if (hash !== offer.specHash) return refuse('the spec of the offer does not have the hash that it came with');
  const spec = readSpec(offer.specJson);
  if (typeof spec === 'string') return refuse(spec);
  const tasks = parseRangeSet(offer.tasks);
  if (!tasks.ok) return refuse(`the tasks of the offer: ${tasks.message}`);
  if (difference(tasks.set, taskSet(spec)).length > 0) return refuse('the offer has tasks that the job does not have');
  const { kind } = rules;
  const asked = { spec, kind, pool: offer.pool, groupPath: offer.groupPath, taskCount: count(tasks.set) };
  const objection = policyRefusal(rules.policy, rules.nativeOptions, asked);
  if (objection !== null) return refuse(objection);
  const { specJson: _, observedBefore: __, ...facts } = offer;
  return { ok: true, order: { ...facts, spec, marker: markerOf(rules.federation, offer.runId) } };
}

function readSpec(json: string): JobSpec | string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return 'the spec of the offer is not JSON';
  }
  const validation = validateJobSpec(value);
  if (validation.ok) return validation.spec;
  const { path, message } = validation.problems[0]!;
  return `this agent cannot honour the spec: ${path === '' ? '' : `${path}: `}${message}`;
}

function refusalOf(offer: Offer, detail: string): RunStatus {
  return {
    runId: offer.runId,
    placementNumber: offer.placementNumber,
    placed: false,
    nativeId: '',
    nativeSubmittedAtMs: 0,
    nativeState: '',
    nativeReason: '',
    nativePool: '',
    started: '',
    startedAtMs: 0,
    ends: [{ outcome: 'refused', reason: 'rejected', detail, tasks: offer.tasks }],
    stdoutPath: '',
    stderrPath: '',
  };
}
