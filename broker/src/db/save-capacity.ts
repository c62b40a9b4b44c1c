import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import type { Database } from './database.ts';
import { statement } from './in-transaction.ts';
import type { Session } from './session.ts';

/** Keeps the latest report of a cluster and wakes placement. False: fenced. */
export async function saveCapacity(db: Database, session: Session, report: CapacityReport): Promise<boolean> {
  const { rowCount } = await statement(
    db.system,
    `WITH held AS (
       UPDATE clusters SET last_seen_at = now() WHERE name = $1 AND session_epoch = $2 RETURNING name
     ), saved AS (
       INSERT INTO capacity_reports (cluster, reported_at, report) SELECT name, now(), $3::jsonb FROM held
       ON CONFLICT (cluster) DO UPDATE SET reported_at = excluded.reported_at, report = excluded.report
     ) SELECT pg_notify('switchyard', '{"t":"jobs"}') FROM held`,
    [session.cluster, session.sessionEpoch, JSON.stringify(report)],
  );
  return rowCount === 1;
}
