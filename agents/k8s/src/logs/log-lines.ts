import type { LinePlace, LogCursor } from './log-cursor.ts';

/** Text among the lines that no container wrote: the kubelet's own error, written into an answer that had begun. */
export class LogNoise extends Error {}

export type LogLines = {
  cursor(): LogCursor;
  /** Gives the bytes of the output that `wire` holds, at most `limit`, and answers how many bytes of the wire that took. */
  take(wire: Buffer, limit: number, give: (bytes: Buffer) => void): number;
  /** Takes what is before this place, found by its line, in a log that may have lost its beginning. */
  seek(
    wire: Buffer,
    place: LogCursor & { readonly line: LinePlace },
  ): { readonly used: number; readonly found: boolean };
};

/** RFC 3339, as the kubelet writes it. */
const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const LONGEST_STAMP = 35;
const NEWLINE = 10;
const BLANK = 32;

/**
 * Takes the timestamps out of a log and keeps the place. What the kubelet sends with `timestamps=true` (cri-client,
 * pkg/logs): a stamp and a blank before each message that follows a newline. A line that the runtime split (at 16 KiB) and one
 * without a newline at its end are messages without a newline, and what follows them has no stamp: so a stamp stands at the
 * beginning of every line and nowhere else, and all other bytes are the output, exactly.
 */
export function createLogLines(from: Pick<LogCursor, 'offset' | 'since'>): LogLines {
  let { offset } = from;
  let line: LinePlace | null = null;
  /** Where it can be asked for again, and what came since then. */
  let base = { second: from.since, bytes: 0 };
  /** The base to be, once a newer second has begun. */
  let ahead: typeof base | null = null;
  let newest = from.since ?? Number.NEGATIVE_INFINITY;
  let second = newest;

  const begin = (stamp: string) => {
    second = secondOf(stamp);
    // The base stays a second or more behind: stdout and stderr are stamped apart and then written, so that a line may follow one
    // that is newer, and would not be among what is asked for.
    if (second > newest) {
      newest = second;
      base = ahead ?? base;
      ahead = { second, bytes: 0 };
    }
    line = { stamp, nth: line?.stamp === stamp ? line.nth + 1 : 0, bytes: 0, isOpen: true };
  };

  const count = (bytes: number) => {
    offset += bytes;
    for (const each of [base, ahead]) if (each && (each.second === null || second >= each.second)) each.bytes += bytes;
  };

  /** Some of one line; how many bytes of the wire that took, 0 when there is no whole stamp and a byte after it. */
  const takeSome = (wire: Buffer, at: number, limit: number, give: (bytes: Buffer) => void): number => {
    let start = at;
    if (!line?.isOpen) {
      const stamp = stampAt(wire, at);
      if (stamp === null) return 0;
      begin(stamp);
      start += stamp.length + 1;
    }
    const newline = wire.indexOf(NEWLINE, start);
    const end = Math.min(newline < 0 ? wire.length : newline + 1, start + limit);
    give(wire.subarray(start, end));
    count(end - start);
    line = { ...line!, bytes: line!.bytes + end - start, isOpen: newline < 0 || end <= newline };
    return end - at;
  };

  return {
    cursor: () => ({ offset, since: base.second, bytes: base.bytes, line }),
    take: (wire, limit, give) => {
      let used = 0;
      let left = limit;
      while (used < wire.length && left > 0) {
        const some = takeSome(wire, used, left, (part) => {
          left -= part.length;
          give(part);
        });
        if (some === 0) break;
        used += some;
      }
      return used;
    },
    seek: (wire, { line: place, offset: there }) => {
      let used = 0;
      while (used < wire.length) {
        const isThere = line?.stamp === place.stamp && line.nth === place.nth;
        if (isThere && line!.bytes === place.bytes) break;
        const isNext = !line?.isOpen && isBegunAt(wire, used, line, place);
        const limit = isNext ? place.bytes : isThere ? place.bytes - line!.bytes : wire.length;
        const some = takeSome(wire, used, Math.max(1, limit), () => {});
        if (some === 0) break;
        used += some;
      }
      const found = line?.stamp === place.stamp && line.nth === place.nth && line.bytes === place.bytes;
      if (found) offset = there;
      return { used, found };
    },
  };
}

export function isSameLine(one: LinePlace | null, other: LinePlace | null): boolean {
  return one?.stamp === other?.stamp && one?.nth === other?.nth && one?.bytes === other?.bytes;
}

function isBegunAt(wire: Buffer, at: number, before: LinePlace | null, place: LinePlace): boolean {
  if (stampAt(wire, at) !== place.stamp) return false;
  return (before?.stamp === place.stamp ? before.nth + 1 : 0) === place.nth;
}

/** Null: it or the byte after it is not there yet. */
function stampAt(wire: Buffer, at: number): string | null {
  const blank = wire.indexOf(BLANK, at);
  const isWhole = blank >= 0 && blank - at <= LONGEST_STAMP;
  if (!isWhole && wire.length - at <= LONGEST_STAMP) return null;
  const stamp = wire.toString('latin1', at, isWhole ? blank : at + LONGEST_STAMP);
  if (!isWhole || !STAMP.test(stamp)) throw new LogNoise(wire.toString('utf8', at, at + 200).split('\n')[0]);
  return blank + 1 < wire.length ? stamp : null;
}

let known = { text: '', second: 0 };

function secondOf(stamp: string): number {
  const [, time, zone] = STAMP.exec(stamp)!;
  const text = `${time}${zone}`;
  // Most lines are of the second of the line before.
  if (known.text !== text) known = { text, second: Date.parse(text) / 1000 };
  return known.second;
}
