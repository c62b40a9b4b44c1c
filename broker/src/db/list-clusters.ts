import type { Amounts, CapacityReport, PoolReport } from '@switchyard/core/placement/capacity-report.ts';
import { asPrincipal, type Viewer } from './as-principal.ts';
import type { Database } from './database.ts';
import { UNREACHABLE_AFTER_SECONDS } from './unreachable.ts';

export type ClusterSummary = {
  readonly name: string;
  readonly kind: string | null;
  readonly state: 'connected' | 'unreachable' | 'never_connected';
  readonly admission: 'active' | 'cordoned' | 'draining';
  readonly software: string | null;
  readonly reportAgeMs: number | null;
  readonly reportedAt: string | null;
  readonly total: Amounts | null;
  readonly free: Amounts | null;
  readonly runningJobs: number | null;
  readonly waitingJobs: number | null;
  readonly pools: readonly PoolReport[];
  readonly notes: readonly string[];
  /** Of the jobs that the viewer may see. */
  readonly ourWaitingTasks: number;
  readonly ourRunningTasks: number;
  readonly breakerReason: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly agentVersion: string | null;
};

export type ClusterList = {
  readonly items: readonly ClusterSummary[];
  readonly paused: { readonly reason: string; readonly since: string } | null;
};

/** All clusters with their latest report and its age. */
export function listClusters(db: Database, viewer: Viewer): Promise<ClusterList> {
  return asPrincipal(db, viewer, async (client) => {
    const clusters = await client.query<ClusterRow>(clustersQuery);
    const federation = await client.query<{ paused_reason: string | null; paused_at: Date | null }>(
      'SELECT paused_reason, paused_at FROM federation',
    );
    const { paused_reason: reason = null, paused_at: since = null } = federation.rows[0] ?? {};
    return {
      items: clusters.rows.map(summaryOf),
      paused: reason === null || since === null ? null : { reason, since: since.toISOString() },
    };
  });
}

const clustersQuery = `
SELECT c.name, c.kind, c.admission, c.labels, c.agent_version,
  CASE WHEN c.hello_at IS NULL THEN 'never_connected'
    WHEN c.last_seen_at > now() - interval '${UNREACHABLE_AFTER_SECONDS} s' THEN 'connected' ELSE 'unreachable' END AS state,
  CASE WHEN c.breaker_until > now() THEN c.breaker_reason END AS breaker_reason,
  p.report, p.reported_at, extract(epoch FROM now() - p.reported_at)::float8 * 1000 AS report_age_ms,
  coalesce(own.waiting, 0)::int AS waiting, coalesce(own.running, 0)::int AS running
FROM clusters c LEFT JOIN capacity_reports p ON p.cluster = c.name
LEFT JOIN (
  SELECT r.cluster, sum(tasks.waiting) AS waiting, sum(tasks.running) AS running
  FROM runs r CROSS JOIN LATERAL (
    SELECT (SELECT sum(upper(part) - lower(part)) FROM unnest(r.tasks - r.started - r.ended_tasks) AS part) AS waiting,
      (SELECT sum(upper(part) - lower(part)) FROM unnest(r.started - r.ended_tasks) AS part) AS running
  ) AS tasks
  WHERE r.forgotten_at IS NULL AND r.state <> 'ended' GROUP BY r.cluster
) AS own ON own.cluster = c.name
ORDER BY c.name`;

type ClusterRow = {
  name: string;
  kind: string | null;
  admission: ClusterSummary['admission'];
  labels: Record<string, string>;
  agent_version: string | null;
  state: ClusterSummary['state'];
  breaker_reason: string | null;
  report: CapacityReport | null;
  reported_at: Date | null;
  report_age_ms: number | null;
  waiting: number;
  running: number;
};

function summaryOf({ report, ...row }: ClusterRow): ClusterSummary {
  return {
    name: row.name,
    kind: row.kind,
    state: row.state,
    admission: row.admission,
    software: report?.software ?? null,
    reportAgeMs: row.report_age_ms === null ? null : Math.max(0, Math.round(row.report_age_ms)),
    reportedAt: row.reported_at?.toISOString() ?? null,
    total: report?.total ?? null,
    free: report?.free ?? null,
    runningJobs: report?.runningJobs ?? null,
    waitingJobs: report?.waitingJobs ?? null,
    pools: report?.pools ?? [],
    notes: report?.notes ?? [],
    ourWaitingTasks: row.waiting,
    ourRunningTasks: row.running,
    breakerReason: row.breaker_reason,
    labels: row.labels,
    agentVersion: row.agent_version,
  };
}
