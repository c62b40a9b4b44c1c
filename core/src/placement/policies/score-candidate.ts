import type { PoolReport } from '../capacity-report.ts';
import type { ClusterLedger } from '../cluster-ledger.ts';
import type { ResourceRequest } from '../resources.ts';

export type Candidate = {
  readonly ledger: ClusterLedger;
  readonly pool: PoolReport;
  readonly request: ResourceRequest;
};

/** A policy: how good a pool is for a job, higher is better, as a function of values alone; the sentence is made only where it is shown. */
export type ScoreCandidate = (candidate: Candidate) => { readonly score: number; readonly why: () => string };
