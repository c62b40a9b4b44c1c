import type { Wait } from '@switchyard/core/placement/snapshot.ts';
import { startCycleLoop } from '../cycle-loop.ts';
import type { Database } from '../db/database.ts';
import type { Log } from '../log.ts';
import { createHousekeeping } from './housekeeping.ts';
import { holdLease } from './lease.ts';
import { defaultSchedulerSettings, type SchedulerSettings } from './settings.ts';
import { type Progress, tick } from './tick.ts';

export type WaitReason = Pick<Wait, 'kind' | 'sentence'>;

export type SchedulerStatus = {
  readonly leader: boolean;
  readonly epoch: number | null;
  /** Why the last cycle placed nothing at all: a pause, or agents that are awaited; null in ordinary life. */
  readonly stoppedBy: string | null;
  /** Why jobs of the last plan wait, by job id; empty where this replica does not lead. */
  readonly waits: ReadonlyMap<string, WaitReason>;
};

export type Scheduler = {
  wake(): void;
  status(): SchedulerStatus;
  /** Resolves when the cycle in flight has ended and the lease is given back. */
  stop(): Promise<void>;
};

/** For how many jobs the reason of their waiting is kept. */
const MAX_WAITS = 10_000;

/** Places jobs while this process leads, and stands by to lead while it does not. */
export function startScheduler(options: {
  readonly db: Database;
  /** Unique to this process. */
  readonly holder: string;
  readonly settings?: Partial<SchedulerSettings>;
  readonly log: Log;
  readonly metrics?: { placementCycle(seconds: number, placed: number): void };
}): Scheduler {
  const { db, holder, log, metrics } = options;
  const settings = { ...defaultSchedulerSettings, ...options.settings };
  const housekeeping = createHousekeeping({ db, settings, log });
  let waits: ReadonlyMap<string, WaitReason> = new Map();
  let stoppedBy: string | null = null;
  const progress: Progress = { behind: null };

  const cycle = async () => {
    const epoch = lease.epoch();
    if (epoch === null) {
      waits = new Map();
      return;
    }
    const begun = performance.now();
    const result = await tick(db, epoch, settings, progress);
    if (result === null) {
      lease.lost();
      return;
    }
    metrics?.placementCycle((performance.now() - begun) / 1000, result.placed);
    waits = new Map(result.waits.slice(0, MAX_WAITS).map(({ jobId, kind, sentence }) => [jobId, { kind, sentence }]));
    if (result.stoppedBy !== stoppedBy) tell(result.stoppedBy);
    stoppedBy = result.stoppedBy;
    if (stoppedBy === null) await housekeeping.run(epoch);
  };
  const tell = (reason: string | null) =>
    reason === null ? log.info({}, 'placement goes on') : log.warn({ reason }, 'placement stands still');

  const lease = holdLease({
    db,
    holder,
    ttlMs: settings.leaseTtlMs,
    renewMs: settings.leaseRenewMs,
    log,
    onLeader: () => loop.wake(),
  });
  const loop = startCycleLoop({
    cycle,
    minimumGapMs: settings.minimumGapMs,
    fallbackMs: settings.fallbackMs,
    onError: (error) => log.error({ err: error }, 'a placement cycle failed'),
  });
  const endListening = db.listen((notification) => {
    if (notification.t === 'jobs' || notification.t === 'runs') loop.wake();
  }, loop.wake);

  return {
    wake: loop.wake,
    status: () => {
      const epoch = lease.epoch();
      return { leader: epoch !== null, epoch, stoppedBy, waits: epoch === null ? new Map() : waits };
    },
    async stop() {
      endListening();
      await loop.stop();
      await lease.stop();
    },
  };
}
