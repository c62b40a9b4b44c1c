import { ClusterLedger } from './cluster-ledger.ts';
import { placeJob } from './place-job.ts';
import { shapeFilter } from './shape-options.ts';
import type { Place, Plan } from './snapshot.ts';
import { deadReason, notNow } from './waiting-reason.ts';

/**
 * The plan for a snapshot: which tasks go where, who waits for what, and who can never start. Pure: the same snapshot gives the
 * same plan. It takes the jobs in their given order and subtracts what it places, so that a burst does not herd onto one
 * cluster; after `limit` placements it looks at no further job. An array may be placed and wait for the rest of its tasks.
 */
export const place: Place = (snapshot, nowMs, settings) => {
  const plan: { -readonly [Key in keyof Plan]: Plan[Key][number][] } = { placements: [], waits: [], dead: [] };
  const ledgers = snapshot.clusters.map((cluster) => new ClusterLedger(cluster)).sort(byName);
  const optionsOf = shapeFilter(ledgers, nowMs, settings.staleAfterMs);
  for (const job of snapshot.jobs) {
    const left = settings.limit - plan.placements.length;
    if (left <= 0) break;
    const dead = deadReason(job, nowMs);
    const wait = dead ? null : (paused(snapshot.pausedReason) ?? notNow(job, nowMs));
    if (dead) plan.dead.push({ jobId: job.id, ...dead });
    else if (wait) plan.waits.push({ jobId: job.id, ...wait, refusals: [] });
    else {
      const { placements, wait } = placeJob(job, optionsOf(job), settings.policy, left);
      plan.placements.push(...placements);
      if (wait) plan.waits.push({ jobId: job.id, ...wait });
    }
  }
  return plan;
};

function paused(reason: string | null) {
  return reason === null ? null : { kind: 'paused' as const, sentence: reason };
}

function byName(left: ClusterLedger, right: ClusterLedger): number {
  return left.cluster.name < right.cluster.name ? -1 : left.cluster.name > right.cluster.name ? 1 : 0;
}
