import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import type { ClusterView, Snapshot } from '@switchyard/core/placement/snapshot.ts';
import type { ClusterKind } from '@switchyard/core/spec/job-spec.ts';
import type { Database, Queryable } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { type QueuePosition, waitingJobs } from './waiting-jobs.ts';

export type SnapshotQuery = {
  /** The first so many jobs in queue order; more when some of them wait for other jobs. */
  readonly maxJobs: number;
  /** Only these jobs, whatever their place in the queue (for `why`). */
  readonly jobIds?: readonly string[];
  /** Only what stands behind this place in the queue. */
  readonly after?: QueuePosition;
};

/** With the database's own time: reports and pauses carry it, and the clock of this machine may differ. */
export type LoadedSnapshot = Snapshot & { readonly takenAtMs: number };

/** Everything that placement may look at, from one consistent view of the database. */
export function loadSnapshot(db: Database, query: SnapshotQuery): Promise<LoadedSnapshot> {
  const readAll = async (client: Queryable) => {
    const federation = await client.query<{ paused_reason: string | null; now: Date }>(
      'SELECT paused_reason, now() AS now FROM federation',
    );
    return {
      jobs: await waitingJobs(client, query),
      clusters: await clusterViews(client),
      pausedReason: federation.rows[0]!.paused_reason,
      takenAtMs: federation.rows[0]!.now.getTime(),
    };
  };
  return inTransaction(db.system, readAll, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
}

export async function clusterViews(client: Queryable): Promise<ClusterView[]> {
  const clusters = await client.query<ClusterRow>(clustersQuery);
  const unstarted = await client.query<UnstartedRow>(unstartedQuery);
  const byCluster = Map.groupBy(unstarted.rows, (row) => row.cluster);
  return clusters.rows.map((row) => clusterView(row, byCluster.get(row.name) ?? []));
}

/** A cluster without a kind has never said hello: nothing can be asked of it. */
const clustersQuery = `
SELECT c.name, c.kind, c.admission, c.labels, c.filesystems, c.allowed_native_options, c.backlog,
  c.session_holder IS NOT NULL AND coalesce(c.reconciled_at >= c.hello_at, false) AS connected,
  CASE WHEN c.breaker_until > now() THEN c.breaker_reason END AS breaker_reason,
  p.report, p.reported_at, coalesce(n.tasks, 0)::bigint AS placed_count
FROM clusters c LEFT JOIN capacity_reports p ON p.cluster = c.name LEFT JOIN placement_counts n ON n.cluster = c.name
WHERE c.kind IS NOT NULL ORDER BY c.name`;

const unstartedQuery = `
SELECT r.cluster, r.pool, r.offered_at, r.state = 'offered' AND r.observed_epoch = 0 AS unanswered, r.size,
  (SELECT sum(upper(part) - lower(part)) FROM unnest(r.tasks - r.started - r.ended_tasks) AS part)::int AS tasks
FROM runs r
WHERE r.forgotten_at IS NULL AND r.state <> 'ended' AND r.tasks - r.started - r.ended_tasks <> '{}' ORDER BY r.placement_number`;

type Size = { cpus?: number; memoryMiB?: number; gpus?: number };
type UnstartedRow = { cluster: string; pool: string; offered_at: Date; unanswered: boolean; size: Size; tasks: number };
type ClusterRow = {
  name: string;
  kind: ClusterKind;
  admission: ClusterView['admission'];
  labels: Record<string, string>;
  filesystems: ClusterView['filesystems'];
  allowed_native_options: string[];
  backlog: number;
  connected: boolean;
  breaker_reason: string | null;
  report: CapacityReport | null;
  reported_at: Date | null;
  placed_count: number;
};

function clusterView(row: ClusterRow, unstarted: readonly UnstartedRow[]): ClusterView {
  return {
    name: row.name,
    kind: row.kind,
    admission: row.admission,
    labels: row.labels,
    filesystems: row.filesystems,
    allowedNativeOptions: row.allowed_native_options,
    report: row.report,
    reportedAtMs: row.reported_at?.getTime() ?? null,
    connected: row.connected,
    breakerReason: row.breaker_reason,
    backlog: row.backlog,
    waitingTasks: unstarted.reduce((sum, run) => sum + run.tasks, 0),
    unstarted: unstarted.map(({ pool, size, tasks, offered_at }) => ({
      pool,
      cpus: (size.cpus ?? 1) * tasks,
      memoryMiB: (size.memoryMiB ?? 0) * tasks,
      gpus: (size.gpus ?? 0) * tasks,
      offeredAtMs: offered_at.getTime(),
    })),
    unansweredOffers: unstarted.filter((run) => run.unanswered).length,
    placedCount: row.placed_count,
  };
}
