import type { PlacementSettings } from '@switchyard/core/placement/snapshot.ts';

/** What an operator may tune of the scheduler; the constants carry their reasons. */
export type SchedulerSettings = PlacementSettings & {
  /** Jobs that one cycle looks at, in queue order. */
  readonly maxJobs: number;
  /** A leader that dies is replaced after at most this long. */
  readonly leaseTtlMs: number;
  readonly leaseRenewMs: number;
  /** Between two cycles, so that a burst of wake-ups is placed together. */
  readonly minimumGapMs: number;
  /** For what only time moves: start times, backoff, deadlines, stale reports. */
  readonly fallbackMs: number;
  /** After a lost database connection, how long agents have to come back before placement goes on without them. */
  readonly barrierMs: number;
  /** Without a report for so long a cluster counts as out of sight. */
  readonly unreachableAfterMs: number;
  /** How long an open breaker keeps work away. */
  readonly breakerMs: number;
  /** Runs placed but not started for so long are withdrawn when another cluster is free; null: never. */
  readonly withdrawAfterSeconds: number | null;
};

export const defaultSchedulerSettings: SchedulerSettings = {
  policy: 'least-loaded',
  staleAfterMs: 30_000,
  limit: 1000,
  maxJobs: 5000,
  leaseTtlMs: 5000,
  leaseRenewMs: 1500,
  minimumGapMs: 5,
  fallbackMs: 1000,
  barrierMs: 30_000,
  unreachableAfterMs: 30_000,
  breakerMs: 60_000,
  withdrawAfterSeconds: null,
};
