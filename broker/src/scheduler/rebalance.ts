import type { ClusterView, Place, PlacementSettings, WaitingJob } from '@switchyard/core/placement/snapshot.ts';
import type { WaitingRun } from '../db/waiting-runs.ts';

export type RebalanceView = { readonly waiting: readonly WaitingRun[]; readonly clusters: readonly ClusterView[] };

export type RebalanceSettings = PlacementSettings & { readonly withdrawAfterSeconds: number | null };

/** A move costs the job its native age: a few per cycle, so that one free cluster does not empty the queues of all others. */
const MAX_PER_CYCLE = 16;

/**
 * Which runs to take back from a cluster's queue, because another cluster is idle now.
 * 1. The run has waited at least `withdrawAfterSeconds` where it is, longest first, then by id.
 * 2. Its cluster answers: only the agent can take the claim.
 * 3. place() would send the job to another cluster, which holds nothing of ours that waits and whose free capacity covers it.
 */
export function runsToWithdraw(
  view: RebalanceView,
  nowMs: number,
  settings: RebalanceSettings,
  place: Place,
): string[] {
  const { withdrawAfterSeconds } = settings;
  if (withdrawAfterSeconds === null) return [];
  const reachable = new Set(view.clusters.filter((cluster) => cluster.connected).map((cluster) => cluster.name));
  const candidates = view.waiting
    .filter((run) => reachable.has(run.cluster) && nowMs - run.placedAtMs >= withdrawAfterSeconds * 1000)
    .sort((left, right) => left.placedAtMs - right.placedAtMs || (left.runId < right.runId ? -1 : 1));
  const idle = view.clusters.filter((cluster) => cluster.waitingTasks === 0 && cluster.unstarted.length === 0);
  const chosen: string[] = [];
  const taken = new Set<string>();
  for (const run of candidates) {
    if (chosen.length === MAX_PER_CYCLE) break;
    const goal = idleGoal(run, idle, taken, nowMs, settings, place);
    if (goal === undefined) continue;
    taken.add(goal);
    chosen.push(run.runId);
  }
  return chosen;
}

/** The idle cluster that could start this run now. Each is used once per cycle: what it has left after that is not known. */
function idleGoal(
  run: WaitingRun,
  idle: readonly ClusterView[],
  taken: ReadonlySet<string>,
  nowMs: number,
  settings: PlacementSettings,
  place: Place,
): string | undefined {
  const clusters = idle.filter((cluster) => cluster.name !== run.cluster && !taken.has(cluster.name));
  const plan = place({ jobs: [run.job], clusters, pausedReason: null }, nowMs, settings);
  return plan.placements.find((placement) => startsNow(run.job, placement.cluster, placement.pool, clusters))?.cluster;
}

/** A job that places on an idle cluster but does not fit its free capacity would only wait there instead. */
function startsNow(job: WaitingJob, clusterName: string, poolName: string, clusters: readonly ClusterView[]): boolean {
  const report = clusters.find((cluster) => cluster.name === clusterName)?.report;
  const pool =
    report?.pools.find((candidate) => candidate.name === poolName) ??
    report?.pools.find((candidate) => candidate.isDefault);
  if (!pool) return false;
  const { tasks, cpusPerTask, nodes = 1 } = job.spec.resources;
  return pool.free.cpus >= tasks * cpusPerTask && (nodes === 1 || pool.free.nodes >= nodes);
}
