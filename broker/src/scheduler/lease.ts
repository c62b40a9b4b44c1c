import type { Database } from '../db/database.ts';
import { releaseLeaderLease, renewLeaderLease, takeLeaderLease } from '../db/leader-lease.ts';
import type { Log } from '../log.ts';

export type Lease = {
  /** The epoch while this process may call itself leader, else null. */
  epoch(): number | null;
  /** A commit was refused: somebody else leads. */
  lost(): void;
  stop(): Promise<void>;
};

/**
 * Tries for the leader's lease and keeps it. What counts is the lock on the lease row in every commit; the time kept here
 * only spares a former leader useless work.
 */
export function holdLease(options: {
  readonly db: Database;
  readonly holder: string;
  readonly ttlMs: number;
  readonly renewMs: number;
  readonly log: Log;
  readonly onLeader: () => void;
}): Lease {
  const { db, holder, ttlMs, renewMs, log } = options;
  let held: { epoch: number; until: number } | null = null;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let inFlight: Promise<void> = Promise.resolve();

  const epoch = () => (held && performance.now() < held.until ? held.epoch : null);

  /** The time left is counted from before the question, as the row's is from when it was written. */
  const ask = async () => {
    const until = performance.now() + ttlMs;
    if (held && (await renewLeaderLease(db, { holder, epoch: held.epoch, ttlMs }))) {
      held = { epoch: held.epoch, until };
      return;
    }
    if (held) log.warn({ holder, epoch: held.epoch }, 'another broker leads now');
    held = null;
    const taken = await takeLeaderLease(db, holder, ttlMs);
    if (!taken || stopped) return;
    held = { epoch: taken.epoch, until };
    log.info({ holder, epoch: taken.epoch }, 'this broker leads');
    options.onLeader();
  };

  const loop = () => {
    inFlight = ask()
      .catch((error: unknown) => log.warn({ err: error }, 'the lease could not be asked for'))
      .finally(() => {
        if (!stopped) timer = setTimeout(loop, renewMs);
      });
  };
  loop();

  return {
    epoch,
    lost() {
      held = null;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await inFlight;
      if (held) await releaseLeaderLease(db, { holder, epoch: held.epoch }).catch(() => {});
      held = null;
    },
  };
}
