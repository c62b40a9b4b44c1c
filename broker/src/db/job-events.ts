import { asPrincipal, type Viewer } from './as-principal.ts';
import type { Database } from './database.ts';

export type JobEvent = {
  readonly jobId: string;
  readonly sequence: number;
  /** ISO 8601. */
  readonly at: string;
  readonly kind:
    | 'submitted'
    | 'released'
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
  db: Database,
  viewer: Viewer,
  { jobId, afterSequence, limit }: { jobId: string; afterSequence: number; limit: number },
): Promise<JobEvent[]> {
  return asPrincipal(db, viewer, async (client) => {
    const { rows } = await client.query<EventRow>(
      `SELECT job_id, sequence, at, kind, data FROM events WHERE job_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3`,
      [jobId, afterSequence, limit],
    );
    return rows.map((row) => ({
      jobId: row.job_id,
      sequence: row.sequence,
      at: row.at.toISOString(),
      kind: row.kind,
      data: row.data,
    }));
  });
}

type EventRow = { job_id: string; sequence: number; at: Date; kind: JobEvent['kind']; data: Record<string, unknown> };
