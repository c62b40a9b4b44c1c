import type { ScoreCandidate } from './score-candidate.ts';

/**
 * The pool that is least loaded after the job: where it can start now before where it must wait, then by the demand for the
 * scarcest resource that the job asks for. 1 to 2: starts now; 0 to 1: waits.
 */
export const leastLoaded: ScoreCandidate = ({ ledger, pool, request }) => {
  const startsNow = ledger.startable(request, pool) >= 1;
  const load = ledger.load(request, pool);
  return {
    score: (startsNow ? 1 : 0) + 1 / (1 + load),
    why: () =>
      `${startsNow ? 'can start now' : 'has to wait'}, ${Math.round(load * 100)} % of '${pool.name}' asked for with it`,
  };
};
