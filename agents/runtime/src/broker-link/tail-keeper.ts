import { setTimeout as delay } from 'node:timers/promises';
import type { Backend, LogTail } from '../backend.ts';
import { createLimiter } from '../limiter.ts';
import type { Log } from '../log.ts';
import type { BrokerStream } from './broker-stream.ts';
import type { LogReaders } from './log-readers.ts';

export type TailKeeper = {
  /** True when the run can be forgotten: it has no tails, or the broker keeps them and nobody is in the middle of reading the whole. */
  keep(runId: string): Promise<boolean>;
  /** The broker's answer. */
  stored(runIds: readonly string[]): void;
};

/** What the broker takes of one output, and of all outputs of a run. */
const MOST_TAIL_BYTES = 65_536;
const MOST_RUN_BYTES = 1_048_576;
/** Runs whose outputs are read at the same time; those that wait for the broker's answer are not counted. */
const CONCURRENT_RUNS = 8;
/** The broker repeats Forget when nothing came of it. */
const STORED_WITHIN_MS = 30_000;

/** Hands the ends of outputs over to the broker before the runs that hold them are forgotten. */
export function createTailKeeper(options: {
  readonly backend: Pick<Backend, 'logTails'>;
  readonly stream: Pick<BrokerStream, 'write' | 'ended'>;
  readonly log: Pick<Log, 'warn'>;
  readonly readers: Pick<LogReaders, 'finished'>;
  readonly storedWithinMs?: number;
}): TailKeeper {
  const { backend, stream, log, readers, storedWithinMs = STORED_WITHIN_MS } = options;
  const limit = createLimiter(CONCURRENT_RUNS);
  const waiting = new Map<string, () => void>();
  const session = new AbortController();
  stream.ended.then(() => session.abort());

  const answer = async (runId: string): Promise<boolean> => {
    const stop = new AbortController();
    const asked = new Promise<boolean>((resolve) => waiting.set(runId, () => resolve(true)));
    const late = delay(storedWithinMs, false, { signal: stop.signal }).then(
      () => {
        log.warn(`the broker does not say that it keeps the end of the output of run ${runId}; it is asked again`);
        return false;
      },
      () => false,
    );
    // By the signal, which can be left again: on the promise of a session of weeks, each run would stay for its whole length.
    const ended = Promise.withResolvers<false>();
    const end = () => ended.resolve(false);
    session.signal.addEventListener('abort', end);
    if (session.signal.aborted) end();
    try {
      return await Promise.race([asked, late, ended.promise]);
    } finally {
      session.signal.removeEventListener('abort', end);
      stop.abort();
      waiting.delete(runId);
    }
  };

  return {
    keep: async (runId) => {
      const sent: { stored?: Promise<boolean> } = {};
      await limit(async () => {
        let bytes = 0;
        let before: LogTail | null = null;
        // One is held back: only the next one tells that it was not the last.
        for await (const tail of backend.logTails(runId)) {
          const bounded = lastBytes(tail);
          bytes += bounded.data.length;
          if (bytes > MOST_RUN_BYTES) break;
          if (before) await stream.write(message(before, false));
          before = bounded;
        }
        if (!before) return;
        sent.stored = answer(runId);
        await stream.write(message(before, true));
      });
      if (!sent.stored) return true;
      if (!(await sent.stored)) return false;
      await readers.finished(runId, session.signal);
      return !session.signal.aborted;
    },
    stored: (runIds) => {
      for (const runId of runIds) waiting.get(runId)?.();
    },
  };
}

function lastBytes(tail: LogTail): LogTail {
  const cut = Math.max(0, tail.data.length - MOST_TAIL_BYTES);
  return cut === 0 ? tail : { ...tail, offset: tail.offset + cut, data: tail.data.subarray(cut) };
}

function message({ data, ...tail }: LogTail, last: boolean) {
  return { $case: 'logTail' as const, value: { ...tail, data: Buffer.from(data), last } };
}
