import type { Backend, StrayJob } from '../backend.ts';
import type { Log } from '../log.ts';
import type { ObservationOutbox } from './observation-outbox.ts';

/** Observes the cluster for as long as the agent lives, with a broker or without one. */
export type ObserveLoop = {
  /** Something was done to the cluster: look sooner. */
  poke(): void;
  /** Resolves after a listing that was asked for from now on and worked. */
  observeNow(signal: AbortSignal): Promise<void>;
  /** Called after every listing until the signal. */
  onChange(listener: () => void, signal: AbortSignal): void;
  strays(): readonly StrayJob[];
  /** The last listing worked. */
  isAnswering(): boolean;
  stop(): Promise<void>;
};

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 10_000;

export function startObserveLoop(backend: Backend, outbox: ObservationOutbox, log: Log): ObserveLoop {
  const listeners = new Set<() => void>();
  const stop = new AbortController();
  let strays: readonly StrayJob[] = [];
  let failures = 0;
  let begun = 0;
  let done = 0;
  let wake = () => {};
  /** Somebody waits for a listing: the pace does not matter, unless the cluster does not answer anyway. */
  let hurried = false;

  const look = async () => {
    begun += 1;
    hurried = false;
    const mine = begun;
    try {
      const sight = await backend.observe();
      outbox.put(sight.changed);
      strays = sight.strays;
      if (failures > 0) log.info('the cluster answers again');
      failures = 0;
      done = mine;
    } catch (error) {
      if (failures === 0) log.warn(`the cluster's queue cannot be read: ${(error as Error).message}`);
      failures += 1;
    }
    for (const listener of listeners) listener();
  };

  const pause = () =>
    failures > 0 ? Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1)) : backend.nextObserveMs();

  const isTime = (leftMs: number) => leftMs <= 0 || (hurried && failures === 0);

  /** Sleeps until it is time, and looks at the time again when something was done meanwhile. */
  const sleep = async () => {
    const started = performance.now();
    for (let left = pause(); !isTime(left) && !stop.signal.aborted; left = pause() - (performance.now() - started)) {
      // Woken for every submit of a burst: a signal for each would cost more than the look itself.
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };

  backend.onNews(() => {
    hurried = true;
    wake();
  });

  const running = (async () => {
    while (!stop.signal.aborted) {
      await look();
      await sleep();
    }
  })();

  return {
    poke: () => wake(),
    observeNow: async (signal) => {
      const wanted = begun + 1;
      while (done < wanted) {
        if (signal.aborted || stop.signal.aborted) throw new Error('the session ended');
        hurried = true;
        wake();
        await new Promise<void>((resolve) => {
          const once = () => {
            listeners.delete(once);
            signal.removeEventListener('abort', once);
            resolve();
          };
          listeners.add(once);
          signal.addEventListener('abort', once);
        });
      }
    },
    onChange: (listener, signal) => {
      listeners.add(listener);
      signal.addEventListener('abort', () => listeners.delete(listener));
    },
    strays: () => strays,
    isAnswering: () => failures === 0 && done > 0,
    stop: async () => {
      stop.abort();
      wake();
      for (const listener of listeners) listener();
      await running;
    },
  };
}
