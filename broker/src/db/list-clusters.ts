import type { Amounts, PoolReport } from '@switchyard/core/placement/capacity-report.ts';
import type { Viewer } from './as-principal.ts';
import type { Database } from './database.ts';

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
export function listClusters(_db: Database, _viewer: Viewer): Promise<ClusterList> {
  throw new Error('not yet');
}
