import type { Plan } from '@switchyard/core/placement/snapshot.ts';
import type { Database } from './database.ts';

export type PlanCommit = {
  readonly placed: readonly { readonly runId: string; readonly jobId: string; readonly cluster: string }[];
  /** Lines that were no longer true, and why. */
  readonly refused: readonly { readonly jobId: string; readonly cluster: string; readonly why: string }[];
  /** Jobs ended because they can never start. */
  readonly ended: readonly string[];
};

/** Stores what of a plan is still true: runs offered under new placement numbers. Null: this leader is no longer the leader, nothing was stored. */
export function commitPlan(
  _db: Database,
  _plan: Plan,
  _leader: { epoch: number; newRunId: () => string },
): Promise<PlanCommit | null> {
  throw new Error('not yet');
}
