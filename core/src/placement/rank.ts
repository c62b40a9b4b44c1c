import { leastLoaded } from './policies/least-loaded.ts';
import { roundRobin } from './policies/round-robin.ts';
import type { Candidate, ScoreCandidate } from './policies/score-candidate.ts';
import type { PolicyName, Score } from './snapshot.ts';

const POLICY: { readonly [Name in PolicyName]: ScoreCandidate } = {
  'least-loaded': leastLoaded,
  'round-robin': roundRobin,
};

/** Candidates, best first; total: 1. higher score; 2. fewer tasks placed there; 3. cluster name; 4. pool name. */
export function rank(candidates: readonly Candidate[], policy: PolicyName): { candidate: Candidate; score: Score }[] {
  return candidates
    .map((candidate) => ({ candidate, ...POLICY[policy](candidate) }))
    .sort(
      (left, right) =>
        right.score - left.score ||
        left.candidate.ledger.placedCount - right.candidate.ledger.placedCount ||
        order(left.candidate.ledger.cluster.name, right.candidate.ledger.cluster.name) ||
        order(left.candidate.pool.name, right.candidate.pool.name),
    )
    .map(({ candidate, score, why }) => ({ candidate, score: scoreOf(candidate, score, why()) }));
}

function scoreOf({ ledger, pool }: Candidate, score: number, why: string): Score {
  return { cluster: ledger.cluster.name, pool: pool.name, score, why };
}

function order(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
