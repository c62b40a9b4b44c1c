import type { Viewer } from './as-principal.ts';
import type { Database } from './database.ts';

export type JobEvent = {
  readonly jobId: string;
  readonly sequence: number;
  /** ISO 8601. */
  readonly at: string;
  readonly kind:
    | 'submitted'
    | 'placing'
    | 'placed'
    | 'running'
    | 'tasks_ended'
    | 'requeued'
    | 'cancel_requested'
    | 'ended';
  readonly data: Readonly<Record<string, unknown>>;
};

/** The events of a job after this sequence number, in order. The job's last one is of kind `ended`. */
export function jobEvents(
  _db: Database,
  _viewer: Viewer,
  _query: { jobId: string; afterSequence: number; limit: number },
): Promise<JobEvent[]> {
  throw new Error('not yet');
}
