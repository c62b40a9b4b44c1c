import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import type { Database } from './database.ts';
import type { Session } from './session.ts';

/** Keeps the latest report of a cluster and wakes placement. False: fenced. */
export function saveCapacity(_db: Database, _session: Session, _report: CapacityReport): Promise<boolean> {
  throw new Error('not yet');
}
