import { choosePools } from './choose-pools.ts';
import type { ClusterLedger } from './cluster-ledger.ts';
import { type Objection, refusal } from './objection.ts';
import type { Candidate } from './policies/score-candidate.ts';
import { clusterObjection, momentaryObjection } from './predicates.ts';
import { requestOn } from './request-on.ts';
import { type RequestShape, shapeKey, shapeOf } from './request-shape.ts';
import type { ClusterView, Refusal, WaitingJob } from './snapshot.ts';

/** Where jobs of one shape could go in this cycle, and why not elsewhere. */
export type ShapeOptions = {
  readonly candidates: readonly Candidate[];
  /** Of clusters that are out of the question for the whole cycle. */
  readonly refusals: readonly Refusal[];
};

/** Filters once for each shape, for a hundred thousand waiting jobs have few shapes. */
export function shapeFilter(ledgers: readonly ClusterLedger[], nowMs: number, staleAfterMs: number) {
  const clusters = ledgers.map(({ cluster }) => cluster);
  const momentary = new Map(clusters.map((each) => [each.name, momentaryObjection(each, nowMs, staleAfterMs)]));
  const known = new Map<string, ShapeOptions>();
  return ({ spec }: WaitingJob): ShapeOptions => {
    const key = shapeKey(spec);
    const found = known.get(key);
    if (found) return found;
    const options = filter(shapeOf(spec), ledgers, clusters, momentary);
    known.set(key, options);
    return options;
  };
}

function filter(
  shape: RequestShape,
  ledgers: readonly ClusterLedger[],
  clusters: readonly ClusterView[],
  momentary: ReadonlyMap<string, Objection>,
): ShapeOptions {
  const candidates: Candidate[] = [];
  const refusals: Refusal[] = [];
  for (const ledger of ledgers) {
    const { cluster } = ledger;
    const request = requestOn(cluster.kind, shape.request);
    const { pools, objection } = poolsFor({ ...shape, request }, cluster, clusters);
    // What waiting cannot change is said first: it is the news that somebody can act upon.
    const final = lasting(cluster.name, objection) ? objection : (momentary.get(cluster.name) ?? objection);
    if (final !== null) refusals.push(refusal(cluster.name, final));
    else for (const pool of pools) candidates.push({ ledger, pool, request });
  }
  return { candidates, refusals };
}

function poolsFor(shape: RequestShape, cluster: ClusterView, clusters: readonly ClusterView[]) {
  const objection = clusterObjection(shape, cluster, clusters);
  if (objection !== null || cluster.report === null) return { pools: [], objection };
  return choosePools(shape, cluster, cluster.report.pools);
}

function lasting(cluster: string, objection: Objection): boolean {
  return objection !== null && refusal(cluster, objection).permanent;
}
