import type { Snapshot } from '@switchyard/core/placement/snapshot.ts';
import type { Database } from './database.ts';

export type SnapshotQuery = {
  /** The first so many jobs in queue order. */
  readonly maxJobs: number;
  /** Only these jobs, whatever their place in the queue (for `why`). */
  readonly jobIds?: readonly string[];
};

/** Everything that placement may look at, from one consistent view of the database. */
export function loadSnapshot(_db: Database, _query: SnapshotQuery): Promise<Snapshot> {
  throw new Error('not yet');
}
