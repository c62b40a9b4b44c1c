import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import type { Database } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { notify } from './notify.ts';
import type { Session } from './session.ts';

/** Keeps the latest report of a cluster and wakes placement. False: fenced. */
export function saveCapacity(db: Database, session: Session, report: CapacityReport): Promise<boolean> {
  return inTransaction(db.system, async (client) => {
    const { rowCount } = await client.query(
      'UPDATE clusters SET last_seen_at = now() WHERE name = $1 AND session_epoch = $2',
      [session.cluster, session.sessionEpoch],
    );
    if (rowCount === 0) return false;
    await client.query(
      `INSERT INTO capacity_reports (cluster, reported_at, report) VALUES ($1, now(), $2)
       ON CONFLICT (cluster) DO UPDATE SET reported_at = excluded.reported_at, report = excluded.report`,
      [session.cluster, JSON.stringify(report)],
    );
    await notify(client, { t: 'jobs' });
    return true;
  });
}
