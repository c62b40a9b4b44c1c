/** A line of a log, by what the API server says of it: its time to the nanosecond and which of those with the same time it is. */
export type LinePlace = {
  readonly stamp: string;
  /** Lines directly before it with the same stamp. */
  readonly nth: number;
  /** Bytes of it that are read. */
  readonly bytes: number;
  readonly isOpen: boolean;
};

/**
 * A place in an output, as a byte offset and as what Kubernetes can find again: it knows times, to the second, and no
 * offsets. The output from second `since` on begins with `bytes` bytes before this place, and the last of them is of `line`.
 */
export type LogCursor = {
  readonly offset: number;
  /** Seconds since 1970; null: the beginning. */
  readonly since: number | null;
  readonly bytes: number;
  readonly line: LinePlace | null;
};

export const BEGINNING: LogCursor = { offset: 0, since: null, bytes: 0, line: null };

export type LogCursors = {
  /** The last place known at or before the offset; the beginning when none is. */
  find(key: string, offset: number): LogCursor;
  put(key: string, cursor: LogCursor): void;
  /** What is known of this output leads nowhere any more. */
  drop(key: string): void;
};

/** Several readers may follow one output. */
const MOST_PER_LOG = 8;

/** Remembers where readers stopped, of the outputs that were read last. */
export function createLogCursors(mostLogs = 1000): LogCursors {
  const logs = new Map<string, readonly LogCursor[]>();
  return {
    find: (key, offset) =>
      (logs.get(key) ?? [])
        .filter((cursor) => cursor.offset <= offset)
        .reduce((best, cursor) => (cursor.offset > best.offset ? cursor : best), BEGINNING),
    put: (key, cursor) => {
      if (cursor.offset === 0) return;
      const others = (logs.get(key) ?? []).filter(({ offset }) => offset !== cursor.offset);
      // Last in the Map is what was used last.
      logs.delete(key);
      logs.set(key, [...others.slice(1 - MOST_PER_LOG), cursor]);
      if (logs.size > mostLogs) logs.delete(logs.keys().next().value!);
    },
    drop: (key) => {
      logs.delete(key);
    },
  };
}
