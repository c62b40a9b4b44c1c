import { place } from '@switchyard/core/placement/place.ts';
import type { Database } from '../db/database.ts';
import { loadSnapshot } from '../db/load-snapshot.ts';
import { endLostRuns, lostCandidates, unreachableClusters } from '../db/lost-runs.ts';
import { openBreaker, recentEnds } from '../db/recent-ends.ts';
import { waitingRuns, wantWithdrawn } from '../db/waiting-runs.ts';
import type { Log } from '../log.ts';
import { BREAKER_WINDOW_SECONDS, breakerReason } from './breaker.ts';
import { advanceOutOfSight, type OutOfSight } from './out-of-sight.ts';
import { runsToWithdraw } from './rebalance.ts';
import type { SchedulerSettings } from './settings.ts';

export type Housekeeping = {
  /** Does what is due; what was observed under another epoch counts for nothing. */
  run(epoch: number): Promise<void>;
};

const EVERY_MS = 1000;

/** What a leader does beside placing, once a second: lost runs, breakers, runs that wait where they need not. */
export function createHousekeeping(options: {
  readonly db: Database;
  readonly settings: SchedulerSettings;
  readonly log: Log;
}): Housekeeping {
  const { db, settings, log } = options;
  let observed: { epoch: number; atMs: number; outOfSight: OutOfSight } | null = null;

  return {
    async run(epoch) {
      const nowMs = performance.now();
      if (observed?.epoch === epoch && nowMs - observed.atMs < EVERY_MS) return;
      const before = observed?.epoch === epoch ? observed : { atMs: nowMs, outOfSight: new Map() };
      const unreachable = await unreachableClusters(db, settings.unreachableAfterMs);
      const outOfSight = advanceOutOfSight(before.outOfSight, unreachable, nowMs - before.atMs);
      observed = { epoch, atMs: nowMs, outOfSight };
      await endLost(db, epoch, outOfSight, log);
      await openBreakers(db, epoch, settings.breakerMs, log);
      await rebalance(db, epoch, settings, log);
    },
  };
}

/** Runs again elsewhere what the job allows to be run again, once this leader itself has missed its cluster for long enough. */
async function endLost(db: Database, epoch: number, outOfSight: OutOfSight, log: Log): Promise<void> {
  if (outOfSight.size === 0) return;
  const candidates = await lostCandidates(db, [...outOfSight.keys()]);
  const lost = candidates.filter((run) => (outOfSight.get(run.cluster) ?? 0) >= run.lostAfterSeconds * 1000);
  if (lost.length === 0) return;
  const ids = lost.map((run) => run.runId);
  const ended = await endLostRuns(db, { epoch }, ids);
  if (ended) log.warn({ runs: ids }, 'runs out of sight are made again elsewhere, as their jobs allow');
}

async function openBreakers(db: Database, epoch: number, forMs: number, log: Log): Promise<void> {
  for (const ends of await recentEnds(db, BREAKER_WINDOW_SECONDS)) {
    const reason = breakerReason(ends);
    if (reason === null) continue;
    log.warn({ cluster: ends.cluster, reason }, 'the breaker of a cluster opens');
    await openBreaker(db, { epoch }, { cluster: ends.cluster, reason, forMs });
  }
}

/** How many runs of the other queues one look considers. */
const MAX_LOOKED_AT = 100;

async function rebalance(db: Database, epoch: number, settings: SchedulerSettings, log: Log): Promise<void> {
  if (settings.withdrawAfterSeconds === null) return;
  const olderThanMs = settings.withdrawAfterSeconds * 1000;
  const waiting = await waitingRuns(db, { olderThanMs, limit: MAX_LOOKED_AT });
  if (waiting.length === 0) return;
  const { clusters, pausedReason, takenAtMs } = await loadSnapshot(db, { maxJobs: 0 });
  if (pausedReason !== null) return;
  const runIds = runsToWithdraw({ waiting, clusters }, takenAtMs, settings, place);
  if (runIds.length === 0) return;
  log.info({ runs: runIds }, 'runs are asked back from a queue, another cluster is idle');
  await wantWithdrawn(db, { epoch }, runIds, 'another cluster is idle');
}
