import { setTimeout as delay } from 'node:timers/promises';
import type { KubeClient } from '../client/kube-client.ts';
import { CONTAINER } from '../names.ts';
import { BEGINNING, type LogCursor } from './log-cursor.ts';
import { createLogLines, isSameLine, type LogLines, LogNoise } from './log-lines.ts';

export type PodAddress = { readonly namespace: string; readonly name: string };

/** The log of one container, being read: from a place on, in order, without its timestamps. */
export type PodLog = {
  readonly isFollowing: boolean;
  cursor(): LogCursor;
  /**
   * Up to `limit` bytes, waiting up to `waitMs` for the first of them. No bytes: nothing came in time, or, when `isOver`, the
   * server has sent everything. Throws KubeError when it is cut, LogNoise when it is no log, PlaceLost when the place is not there.
   */
  read(limit: number, waitMs: number): Promise<{ readonly data: Buffer; readonly isOver: boolean }>;
  /** Bytes given so far. */
  given(): number;
  /** Since the server last sent anything. */
  silentMs(): number;
  close(): void;
};

/** The log does not have the place any more where reading should go on, or not at once. */
export class PlaceLost extends Error {}

const OPEN_WITHIN_MS = 10_000;
/** What has come at the same time goes out at the same time. */
const TOGETHER_MS = 10;

/**
 * Opens the log at a place. `by` says how it is found again: by what the server sends from the cursor's second on, which costs no
 * more than one second of output; or by its line in all that the node still has, when the node has thrown the older part away.
 */
export async function openPodLog(
  client: Pick<KubeClient, 'stream'>,
  pod: PodAddress,
  options: {
    readonly from: LogCursor;
    readonly by: 'time' | 'line';
    readonly follow: boolean;
    readonly giveUpMs: number;
  },
): Promise<PodLog> {
  const { from, by, follow } = options;
  const since = by === 'time' ? from.since : null;
  const stream = await client.stream({
    verb: 'GET',
    path: `/api/v1/namespaces/${pod.namespace}/pods/${pod.name}/log`,
    query: {
      ...{ container: CONTAINER, timestamps: 'true' },
      ...(follow ? { follow: 'true' } : {}),
      ...(since === null ? {} : { sinceTime: new Date(since * 1000).toISOString() }),
    },
    timeoutMs: OPEN_WITHIN_MS,
    giveUpMs: options.giveUpMs,
  });
  const chunks = stream[Symbol.asyncIterator]();
  const place = placeFinder(from, by);
  const { lines } = place;
  let wire: Buffer = Buffer.alloc(0);
  let coming: Promise<IteratorResult<Buffer>> | null = null;
  let isOver = false;
  let heardMs = performance.now();
  let given = 0;
  let failure: unknown = null;

  /** False: nothing came in time. */
  const fill = async (waitMs: number): Promise<boolean> => {
    if (isOver) return false;
    coming ??= chunks.next();
    // A cut while nobody waits is met by the next reader.
    coming.catch(() => {});
    const stop = new AbortController();
    const late = delay(waitMs, null, { signal: stop.signal }).catch(() => null);
    const came = await Promise.race([coming, late]).finally(() => stop.abort());
    if (came === null) return false;
    coming = null;
    heardMs = performance.now();
    isOver = came.done === true;
    if (!came.done) wire = wire.length === 0 ? came.value : Buffer.concat([wire, came.value]);
    return true;
  };

  return {
    isFollowing: follow,
    cursor: () => (place.isFound() ? lines.cursor() : from),
    read: async (limit, waitMs) => {
      if (failure !== null) throw failure;
      const until = performance.now() + waitMs;
      const parts: Buffer[] = [];
      let left = limit;
      const advance = () => {
        if (!place.isFound()) wire = wire.subarray(place.pass(wire, isOver));
        if (!place.isFound()) return;
        const used = lines.take(wire, left, (part) => {
          left -= part.length;
          parts.push(part);
        });
        wire = wire.subarray(used);
      };
      try {
        for (;;) {
          advance();
          if (left === 0 || isOver) break;
          const patience = left < limit ? TOGETHER_MS : Math.max(1, until - performance.now());
          if (!(await fill(patience))) break;
        }
      } catch (error) {
        failure = error;
        // What came before the cut is good.
        if (left === limit) throw error;
      }
      given += limit - left;
      return { data: Buffer.concat(parts), isOver: isOver && left > 0 };
    },
    given: () => given,
    silentMs: () => performance.now() - heardMs,
    close: () => stream.close(),
  };
}

/** Reads over what is before the place, and makes sure that it is the place. */
function placeFinder(from: LogCursor, by: 'time' | 'line') {
  const { line, bytes } = from;
  const isByTime = by === 'time' || line === null;
  let isFound = line === null;
  let left = bytes;
  const lines: LogLines = createLogLines(
    isByTime ? { offset: from.offset - bytes, since: from.since } : { ...BEGINNING },
  );

  const byTime = (wire: Buffer): number => {
    const used = lines.take(wire, left, (part) => {
      left -= part.length;
    });
    if (left > 0) return used;
    isFound = isSameLine(lines.cursor().line, line);
    if (!isFound) throw new PlaceLost('another line stands where reading stopped');
    return used;
  };
  const byLine = (wire: Buffer): number => {
    const { used, found } = lines.seek(wire, { ...from, line: line! });
    isFound = found;
    return used;
  };

  return {
    lines,
    isFound: () => isFound,
    /** How many bytes of the wire are before the place. */
    pass: (wire: Buffer, isOver: boolean): number => {
      const used = isByTime ? asPlaceLost(() => byTime(wire)) : byLine(wire);
      if (!isFound && isOver) throw new PlaceLost('the log ends before the place where reading stopped');
      return used;
    },
  };
}

/** A line that was split before the second and goes on after it comes without a stamp: what is asked for begins in its middle. */
function asPlaceLost<Result>(look: () => Result): Result {
  try {
    return look();
  } catch (error) {
    throw error instanceof LogNoise ? new PlaceLost('what is asked for begins in the middle of a line') : error;
  }
}
