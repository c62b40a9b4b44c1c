import type { End } from '@switchyard/core/lifecycle/evidence.ts';
import type { Claim } from './claim-store.ts';

/** What a claim of the agent's own says: the end written beside it, or the word it was taken with. */
export function endOfClaim(claim: Claim): End {
  if (claim.verdict) return claim.verdict;
  return claim.record.by === 'cancelled'
    ? { outcome: 'cancelled', reason: 'cancelled_by_user' }
    : { outcome: 'withdrawn' };
}
