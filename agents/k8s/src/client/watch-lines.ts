/** Splits the bytes of a watch into lines. What stands after the last line end is half an event and no line. */
export type LineSplitter = {
  push(chunk: Buffer): void;
  /** Bytes of the line that has not ended. */
  pendingBytes(): number;
};

/** etcd holds objects of 1.5 MiB at most; escaped JSON is larger, but never this large. */
const LONGEST_LINE_BYTES = 16 * 1024 * 1024;
const LINE_END = 10;

/** Throws when a line does not end within the limit: a server of another kind, or a broken one. */
export function createLineSplitter(
  onLine: (line: string) => void,
  longestBytes: number = LONGEST_LINE_BYTES,
): LineSplitter {
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  const keep = (piece: Buffer) => {
    pendingBytes += piece.length;
    if (pendingBytes > longestBytes) throw new Error(`A watch event above ${longestBytes} bytes.`);
    pending.push(piece);
  };

  return {
    push: (chunk) => {
      let start = 0;
      for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, start)) {
        keep(chunk.subarray(start, end));
        // Decoded as a whole: a character may be cut by the chunks, never by the line.
        const line = pending.length === 1 ? pending[0]!.toString('utf8') : Buffer.concat(pending).toString('utf8');
        pending = [];
        pendingBytes = 0;
        start = end + 1;
        if (line !== '') onLine(line);
      }
      if (start < chunk.length) keep(chunk.subarray(start));
    },
    pendingBytes: () => pendingBytes,
  };
}
