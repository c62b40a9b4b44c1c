import type { RunObservation } from './apply-observations.ts';
import type { Database } from './database.ts';
import type { Session } from './session.ts';

export type InventoryRun = {
  readonly observation: RunObservation;
  readonly jobId: string;
  readonly jobNumber: number;
  readonly attempt: number;
  /** Range set in text form. */
  readonly tasks: string;
  readonly specHash: string;
  /** From the agent's daily log of forgotten runs. */
  readonly forgotten: boolean;
};

export type InventoryApplied = {
  readonly accepted: readonly string[];
  /** Runs that only the agent knew and that were rolled forward. */
  readonly rolledForward: readonly string[];
  /** Runs of jobs that nobody knows: shown as strays, never cancelled. */
  readonly unknown: readonly string[];
};

/** Reconciles one part of an agent's inventory; the last part marks the cluster as reconciled. Null: fenced. */
export function applyInventory(
  _db: Database,
  _session: Session,
  _part: { runs: readonly InventoryRun[]; last: boolean },
): Promise<InventoryApplied | null> {
  throw new Error('not yet');
}
