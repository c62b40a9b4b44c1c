import { setTimeout as delay } from 'node:timers/promises';
import type { KubeClient } from '../client/kube-client.ts';
import type { Lane } from '../client/kube-request.ts';
import { CONTAINER } from '../names.ts';
import { podsPath } from '../object-path.ts';
import { BEGINNING, type LinePlace, type LogCursor } from './log-cursor.ts';
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
 * How a place is found again: by counting what the server sends from the cursor's second on, which costs a second or two of output;
 * by counting from the beginning; by its line in what is left, when the node has thrown the beginning away.
 */
export type Way = 'since' | 'beginning' | 'line';

/** Opens the log at a place. */
export async function openPodLog(
  client: Pick<KubeClient, 'stream'>,
  pod: PodAddress,
  options: {
    readonly from: LogCursor;
    readonly way: Way;
    readonly follow: boolean;
    readonly giveUpMs: number;
    readonly lane?: Lane;
  },
): Promise<PodLog> {
  const { from, way, follow } = options;
  const place = way === 'line' && from.line ? placeByLine(from, from.line) : placeByCount(from, way === 'since');
  const { lines, since } = place;
  const stream = await client.stream({
    verb: 'GET',
    path: `${podsPath(pod.namespace, pod.name)}/log`,
    query: {
      ...{ container: CONTAINER, timestamps: 'true' },
      ...(follow ? { follow: 'true' } : {}),
      ...(since === null ? {} : { sinceTime: new Date(since * 1000).toISOString() }),
    },
    timeoutMs: OPEN_WITHIN_MS,
    giveUpMs: options.giveUpMs,
    lane: options.lane,
  });
  const chunks = stream[Symbol.asyncIterator]();
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
type PlaceFinder = {
  readonly lines: LogLines;
  /** From which second on the server is asked; null: from the beginning. */
  readonly since: number | null;
  readonly isFound: () => boolean;
  /** How many bytes of the wire are before the place. */
  readonly pass: (wire: Buffer, isOver: boolean) => number;
};

function placeByCount(from: LogCursor, bySince: boolean): PlaceFinder {
  // After a gap nothing is known of what was before, and nothing is before: the cursor has no line.
  const { since, bytes } = bySince || !from.line ? from : { since: null, bytes: from.offset };
  const lines = createLogLines({ offset: from.offset - bytes, since });
  let isFound = from.line === null;
  let left = bytes;
  const pass = (wire: Buffer): number => {
    const used = lines.take(wire, left, (part) => {
      left -= part.length;
    });
    if (left > 0) return used;
    isFound = isSameLine(lines.cursor().line, from.line);
    if (!isFound) throw new PlaceLost('another line stands where reading stopped');
    return used;
  };
  return {
    lines,
    since,
    isFound: () => isFound,
    pass: (wire, isOver) => {
      const used = asPlaceLost(() => pass(wire));
      if (!isFound && isOver) throw new PlaceLost(TOO_SHORT);
      return used;
    },
  };
}

function placeByLine(from: LogCursor, line: LinePlace): PlaceFinder {
  const lines = createLogLines(BEGINNING);
  let isFound = false;
  return {
    lines,
    since: null,
    isFound: () => isFound,
    pass: (wire, isOver) => {
      const { used, found } = lines.seek(wire, { ...from, line });
      isFound = found;
      if (!isFound && isOver) throw new PlaceLost(TOO_SHORT);
      return used;
    },
  };
}

const TOO_SHORT = 'the log ends before the place where reading stopped';

/** A line that was split before the second and goes on after it comes without a stamp: what is asked for begins in its middle. */
function asPlaceLost<Result>(look: () => Result): Result {
  try {
    return look();
  } catch (error) {
    throw error instanceof LogNoise ? new PlaceLost('what is asked for begins in the middle of a line') : error;
  }
}
