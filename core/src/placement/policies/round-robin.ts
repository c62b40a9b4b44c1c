import type { ScoreCandidate } from './score-candidate.ts';

/** Each cluster in turn: the one that has been given the fewest tasks so far. */
export const roundRobin: ScoreCandidate = ({ ledger }) => ({
  score: -ledger.placedCount,
  why: () => `${ledger.placedCount} tasks placed there before`,
});
