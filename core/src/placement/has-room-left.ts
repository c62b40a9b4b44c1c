import { count } from '../spec/range-set.ts';
import { momentaryObjection } from './predicates.ts';
import type { PlacementSettings, Plan, Snapshot } from './snapshot.ts';

/** Whether, after this plan, some cluster would take more from jobs that the snapshot does not show. */
export function hasRoomLeft(
  { clusters }: Pick<Snapshot, 'clusters'>,
  { placements }: Pick<Plan, 'placements'>,
  nowMs: number,
  { staleAfterMs, limit }: Pick<PlacementSettings, 'staleAfterMs' | 'limit'>,
): boolean {
  if (placements.length >= limit) return false;
  const placed = new Map<string, number>();
  for (const { cluster, tasks } of placements) placed.set(cluster, (placed.get(cluster) ?? 0) + count(tasks));
  return clusters.some((cluster) => {
    if (momentaryObjection(cluster, nowMs, staleAfterMs) !== null) return false;
    const given = placed.get(cluster.name) ?? 0;
    const slots = cluster.report?.submitSlotsLeft ?? Number.POSITIVE_INFINITY;
    return given < Math.min(cluster.backlog - cluster.waitingTasks, slots);
  });
}
