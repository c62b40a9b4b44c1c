import type { Observation } from '@switchyard/core/lifecycle/merge-observation.ts';
import type { Database } from './database.ts';
import type { Session } from './session.ts';

export type RunObservation = Observation & {
  readonly runId: string;
  readonly placementNumber: number;
  readonly nativePool: string;
};

export type ObservationsApplied = {
  readonly accepted: readonly string[];
  /** Runs that the database does not know on this cluster. */
  readonly unknown: readonly string[];
};

/** Merges what an agent says of its runs, moves the jobs along and appends the events, in one transaction. Null: fenced. */
export function applyObservations(
  _db: Database,
  _session: Session,
  _counter: number,
  _observations: readonly RunObservation[],
): Promise<ObservationsApplied | null> {
  throw new Error('not yet');
}
