import { setTimeout as delay } from 'node:timers/promises';
import type { LogRequest, LogSlice } from '../backend.ts';

/** Who is reading the output of which run. */
export type LogReaders = {
  /** A piece was read, by somebody who will ask for the next unless this was the last. */
  seen(request: Pick<LogRequest, 'runId' | 'task' | 'rank'>, slice: Pick<LogSlice, 'end' | 'problem'>): void;
  /** Resolves when nobody is in the middle of the run's output any more, or after so long. */
  finished(runId: string, signal: AbortSignal): Promise<void>;
};

/** A reader that follows asks again within this time, also over a slow line. */
const ASKS_AGAIN_MS = 6000;
const LOOK_MS = 250;
/** Somebody who reads a very long output very slowly is left with the end of it. */
const LONGEST_MS = 300_000;
const MOST_READERS = 10_000;

export function createLogReaders(
  options: { readonly asksAgainMs?: number; readonly longestMs?: number } = {},
): LogReaders {
  const { asksAgainMs = ASKS_AGAIN_MS, longestMs = LONGEST_MS } = options;
  const readers = new Map<string, { readonly runId: string; readonly atMs: number }>();

  const isRead = (runId: string): boolean => {
    const tooOld = performance.now() - asksAgainMs;
    for (const [key, { atMs }] of readers) if (atMs < tooOld) readers.delete(key);
    return readers.values().some((reader) => reader.runId === runId);
  };

  return {
    seen: ({ runId, task, rank }, { end, problem }) => {
      const key = `${runId}:${task}:${rank}`;
      readers.delete(key);
      if (end || problem !== '') return;
      readers.set(key, { runId, atMs: performance.now() });
      if (readers.size > MOST_READERS) readers.delete(readers.keys().next().value!);
    },
    finished: async (runId, signal) => {
      const until = performance.now() + longestMs;
      while (!signal.aborted && performance.now() < until && isRead(runId))
        await delay(LOOK_MS, null, { signal }).catch(() => {});
    },
  };
}
