import type * as proto from '@switchyard/proto/switchyard/v1/capacity.ts';
import type { Database } from '../db/database.ts';
import { saveCapacity } from '../db/save-capacity.ts';
import type { Session } from '../db/session.ts';
import { capacityFromWire } from './capacity-from-wire.ts';

export type CapacityKeeper = { take(report: proto.CapacityReport): void; stop(): void };

/** Numbers that change faster than this change nothing that placement would do. */
const STORE_EVERY_MS = 1000;

/** Stores the latest report of an agent: at once after a pause, else the newest of each second. */
export function createCapacityKeeper(options: {
  readonly db: Database;
  readonly session: Session;
  readonly fenced: () => void;
  readonly failed: (error: unknown) => void;
}): CapacityKeeper {
  let latest: proto.CapacityReport | undefined;
  let timer: NodeJS.Timeout | undefined;
  let storedMs = Number.NEGATIVE_INFINITY;

  const store = () => {
    timer = undefined;
    if (!latest) return;
    const report = capacityFromWire(latest);
    latest = undefined;
    storedMs = performance.now();
    saveCapacity(options.db, options.session, report).then((ours) => {
      if (!ours) options.fenced();
    }, options.failed);
  };

  return {
    take(report) {
      latest = report;
      timer ??= setTimeout(store, Math.max(0, storedMs + STORE_EVERY_MS - performance.now()));
    },
    stop: () => clearTimeout(timer),
  };
}
