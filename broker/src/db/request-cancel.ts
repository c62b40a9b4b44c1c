import type { Reason } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { Database } from './database.ts';

export type CancelRequest = {
  readonly jobId: string;
  readonly reason: Extract<Reason, 'cancelled_by_user' | 'cancelled_by_admin'>;
  /** For the audit: whose token. */
  readonly actor: string;
};

/** Ends the queued tasks at once and asks the clusters to end the rest. Who may see and cancel the job is the caller's question. */
export function requestCancel(
  _db: Database,
  _request: CancelRequest,
): Promise<'requested' | 'already_ended' | 'unknown'> {
  throw new Error('not yet');
}
