import { count, difference, type RangeSet, takeFirst, union } from '../spec/range-set.ts';
import { cutArray, reachable } from './cut-array.ts';
import { refusal } from './objection.ts';
import type { Candidate } from './policies/score-candidate.ts';
import { rank } from './rank.ts';
import type { ShapeOptions } from './shape-options.ts';
import type { Placement, PolicyName, Refusal, Score, Wait, WaitingJob } from './snapshot.ts';
import { allowance, atItsLimit } from './waiting-reason.ts';

type Reason = Omit<Wait, 'jobId'>;

/** Places what can be placed of one job, books it, and says what the rest waits for. */
export function placeJob(
  job: WaitingJob,
  options: ShapeOptions,
  policy: PolicyName,
  limit: number,
): { placements: Placement[]; wait: Reason | null } {
  if (isShut(job, options)) return { placements: [], wait: shutReason(options) };
  const wanted = takeFirst(job.queued, Math.min(allowance(job), count(job.queued)));
  const { open, refusals } = openFor(job, wanted, options);
  const ranked = rank(open, policy);
  const scores = ranked.map(({ score }) => score);
  const parts = share(job, wanted, firstOfEachCluster(ranked.map(({ candidate }) => candidate))).slice(0, limit);
  for (const { candidate, tasks } of parts)
    candidate.ledger.place(candidate.request, candidate.pool.name, count(tasks));
  const placements = parts.map(({ candidate, tasks }) => ({
    jobId: job.id,
    cluster: candidate.ledger.cluster.name,
    pool: candidate.pool.name,
    tasks,
    scores: chosenFirst(scores, candidate),
    refusals,
  }));
  return { placements, wait: restReason(job, wanted, union(...parts.map(({ tasks }) => tasks)), options) };
}

/** The common case of a long queue, answered once: every cluster that could take the job is full, and nothing is special about the job. */
function isShut(job: WaitingJob, { candidates }: ShapeOptions): boolean {
  return !job.isArray && candidates.every(({ ledger }) => ledger.room === 0);
}

const shut = new WeakMap<ShapeOptions, Reason>();

/** A full cluster stays full for the whole cycle, so the answer does too. */
function shutReason(options: ShapeOptions): Reason {
  const known = shut.get(options);
  if (known) return known;
  const reason = noCluster(oncePerCluster([...options.refusals, ...options.candidates.flatMap(full)]));
  shut.set(options, reason);
  return reason;
}

/** Where the job could go at this moment; clusters that refused or lost it only if there is no other. */
function openFor(job: WaitingJob, wanted: RangeSet, options: ShapeOptions): { open: Candidate[]; refusals: Refusal[] } {
  const against = new Map(options.candidates.map((each) => [each, [...arrayIndex(job, wanted, each), ...full(each)]]));
  const open = options.candidates.filter((each) => against.get(each)!.length === 0);
  const refusals = oncePerCluster([...options.refusals, ...[...against.values()].flat()]);
  const liked = open.filter(({ ledger }) => !job.avoidClusters.includes(ledger.cluster.name));
  if (liked.length === 0 || liked.length === open.length) return { open, refusals };
  const avoided = open.filter((each) => !liked.includes(each)).map(({ ledger }) => ledger.cluster.name);
  const sentence = 'it refused or lost this job before, and another cluster can take it';
  return {
    open: liked,
    refusals: [...refusals, ...avoided.map((name) => refusal(name, { kind: 'avoided', sentence }))],
  };
}

function full({ ledger }: Candidate): Refusal[] {
  const objection = ledger.fullObjection();
  return objection === null ? [] : [refusal(ledger.cluster.name, objection)];
}

/** A native array takes indexes up to its cluster's limit; an array that must not be cut needs all of them there. */
function arrayIndex(job: WaitingJob, wanted: RangeSet, { ledger }: Candidate): Refusal[] {
  const largest = ledger.cluster.report?.maxArrayIndex ?? null;
  if (!job.isArray || largest === null) return [];
  const there = reachable(wanted, largest);
  const whole = job.spec.array?.split === false;
  if (whole ? difference(wanted, there).length === 0 : there.length > 0) return [];
  const index = whole ? wanted.at(-1)![1] : wanted[0]![0];
  const sentence = `its largest array index is ${largest}, the job needs index ${index}`;
  return [refusal(ledger.cluster.name, { kind: 'array_index', sentence })];
}

/** Pools of one cluster may overlap, so an array uses the best one of each. */
function firstOfEachCluster(ranked: readonly Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return ranked.filter(({ ledger: { cluster } }) => !seen.has(cluster.name) && seen.add(cluster.name));
}

type Part = { readonly candidate: Candidate; readonly tasks: RangeSet };

/** One task goes to the best; an array is cut over all; one that must not be cut goes to the best as a whole, even beyond the backlog. */
function share(job: WaitingJob, wanted: RangeSet, ranked: readonly Candidate[]): Part[] {
  const best = ranked[0];
  if (best === undefined) return [];
  if (!job.isArray || job.spec.array?.split === false) return [{ candidate: best, tasks: wanted }];
  const shares = ranked.map(({ ledger, pool, request }) => ({
    startable: ledger.startable(request, pool),
    room: ledger.room,
    maxIndex: ledger.cluster.report?.maxArrayIndex ?? null,
  }));
  return cutArray(wanted, shares)
    .map((tasks, at) => ({ candidate: ranked[at]!, tasks }))
    .filter(({ tasks }) => tasks.length > 0);
}

function chosenFirst(scores: readonly Score[], { ledger, pool }: Candidate): readonly Score[] {
  const at = scores.findIndex((score) => score.cluster === ledger.cluster.name && score.pool === pool.name);
  return at === 0 ? scores : [scores[at]!, ...scores.filter((_, other) => other !== at)];
}

/** What keeps the tasks that got nothing; null where a cluster is still open: their turn comes with the next cycle. */
function restReason(job: WaitingJob, wanted: RangeSet, placed: RangeSet, options: ShapeOptions): Reason | null {
  if (difference(job.queued, placed).length === 0) return null;
  const rest = difference(wanted, placed);
  if (rest.length === 0) return { ...atItsLimit(job), refusals: [] };
  const { open, refusals } = openFor(job, rest, options);
  return open.length > 0 ? null : noCluster(refusals);
}

/** In the order of the clusters' names; a cluster with many pools says the same once. */
function oncePerCluster(refusals: readonly Refusal[]): Refusal[] {
  const once = [...new Map(refusals.map((each) => [each.cluster, each])).values()];
  return once.sort((left, right) => (left.cluster < right.cluster ? -1 : 1));
}

/** Never is said only when every cluster refuses for good. */
function noCluster(refusals: readonly Refusal[]): Reason {
  const ever = refusals.length === 0 || refusals.some((each) => !each.permanent);
  const named = refusals.slice(0, 3).map(({ cluster, sentence }) => `${cluster}: ${sentence}`);
  const more = refusals.length > 3 ? [`and ${refusals.length - 3} more`] : [];
  const why = [...named, ...more].join('; ');
  const head =
    refusals.length === 0
      ? 'there is no cluster yet'
      : `no cluster can ${ever ? 'take it now' : 'ever take it'} (${why})`;
  return { kind: ever ? 'no_cluster' : 'no_cluster_ever', sentence: head, refusals };
}
