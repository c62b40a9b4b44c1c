import type { RunStatus } from '../backend.ts';
import { firstPart, wireSize } from './message-size.ts';

export type Batch = { readonly counter: number; readonly runs: readonly RunStatus[] };

/**
 * What the broker has not acknowledged yet: the newest status of each run, one message in flight. Statuses are whole, so a
 * newer one replaces an older one, and what was lost with a stream is in the next session's inventory.
 */
export type ObservationOutbox = {
  put(statuses: readonly RunStatus[]): void;
  /** The next message, or null while one is in flight or nothing is to be said. */
  take(nowMs: number): Batch | null;
  acknowledge(counter: number): void;
  /** A new session: its inventory says everything that was waiting. */
  reset(): void;
};

/** An acknowledgement that takes longer is not coming: the broker could not store the message. */
const RESEND_MS = 15_000;

export function createObservationOutbox(): ObservationOutbox {
  const waiting = new Map<string, RunStatus>();
  let inFlight: { readonly batch: Batch; readonly sentMs: number } | null = null;
  let counter = 0;

  const putBack = () => {
    for (const status of inFlight?.batch.runs ?? []) if (!waiting.has(status.runId)) waiting.set(status.runId, status);
    inFlight = null;
  };

  return {
    put: (statuses) => {
      for (const status of statuses) {
        waiting.delete(status.runId);
        waiting.set(status.runId, status);
      }
    },
    take: (nowMs) => {
      if (inFlight && nowMs - inFlight.sentMs < RESEND_MS) return null;
      putBack();
      if (waiting.size === 0) return null;
      const runs = firstPart([...waiting.values()], wireSize);
      for (const { runId } of runs) waiting.delete(runId);
      counter += 1;
      inFlight = { batch: { counter, runs }, sentMs: nowMs };
      return inFlight.batch;
    },
    acknowledge: (acknowledged) => {
      if (inFlight?.batch.counter === acknowledged) inFlight = null;
    },
    reset: () => {
      waiting.clear();
      // The counter goes on: an acknowledgement may be on its way for what this session sent before its inventory.
      inFlight = null;
    },
  };
}
