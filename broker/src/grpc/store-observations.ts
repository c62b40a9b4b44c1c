import { applyObservations, type RunObservation } from '../db/apply-observations.ts';
import type { Database } from '../db/database.ts';
import type { Session } from '../db/session.ts';
import { SwitchyardError } from '../errors.ts';
import type { Log } from '../log.ts';

export type Stored = { readonly unknown: readonly string[] };

/**
 * Stores observations in one transaction. Should one of them not be storable, a fault of ours, the others must not wait for
 * its repair: the batch is halved until only that one is left out, with its error in the log; the next inventory brings it again.
 * Null: fenced. Throws when the database is away.
 */
export async function storeObservations(
  { db, session, log }: { readonly db: Database; readonly session: Session; readonly log: Log },
  counter: number,
  runs: readonly RunObservation[],
): Promise<Stored | null> {
  try {
    return await applyObservations(db, session, counter, runs);
  } catch (error) {
    if (error instanceof SwitchyardError && error.retryable) throw error;
    if (runs.length <= 1) {
      log.error({ err: error, cluster: session.cluster, run: runs[0]?.runId }, 'an observation cannot be stored');
      return { unknown: [] };
    }
  }
  const middle = Math.ceil(runs.length / 2);
  const first = await storeObservations({ db, session, log }, counter, runs.slice(0, middle));
  const second = first && (await storeObservations({ db, session, log }, counter, runs.slice(middle)));
  return second && { unknown: [...first.unknown, ...second.unknown] };
}
