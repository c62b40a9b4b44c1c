/**
 * What a claim file says (design section 5). The first line says who took it; the others are the winner's record:
 * `claim <nativeId> <restartCount> <host> <epochSeconds> <pid>` or `withdrawn …` or `cancelled …`, then `start <epoch>`,
 * `signal <NAME>`, `end <rc> <epoch or 0> <peakBytes or 0> <oomKills or 0>`.
 */
export type ClaimRecord =
  | { readonly by: 'withdrawn' }
  | { readonly by: 'cancelled' }
  | {
      readonly by: 'wrapper';
      /** Empty when the first line cannot be read: the claim is taken all the same. */
      readonly nativeId: string;
      readonly restartCount: number;
      readonly host: string;
      readonly claimedAtMs: number | null;
      readonly pid: number | null;
      readonly startedAtMs: number | null;
      /** Signals that the wrapper received, in order, without SIG. */
      readonly signals: readonly string[];
      readonly end: ClaimEnd | null;
    };

export type ClaimEnd = {
  /** As `wait` gave it: 0–255, 128 + n for a signal. */
  readonly code: number;
  readonly endedAtMs: number | null;
  readonly peakMemoryBytes: number | null;
  readonly oomKills: number;
};

/** Total: a claim that nobody can read has been taken by somebody, so it counts as started and never as an end. */
export function parseClaim(text: string): ClaimRecord {
  // The first line came whole with the link. A later one without its line break is still being written: `end 1` may become `end 137`.
  const [first = '', ...lines] = text.split('\n');
  lines.pop();
  const by = first.split(' ')[0];
  if (by === 'withdrawn' || by === 'cancelled') return { by };
  return { by: 'wrapper', ...claimant(first), ...record(lines) };
}

function claimant(line: string) {
  const match = /^claim (\S+) (\d+) (\S+) (\d+) (\d+)$/.exec(line);
  if (!match) return { nativeId: '', restartCount: 0, host: '', claimedAtMs: null, pid: null };
  const [, nativeId, restartCount, host, epoch, pid] = match;
  return {
    nativeId: nativeId!,
    restartCount: Number(restartCount),
    host: host!,
    claimedAtMs: ms(epoch!),
    pid: Number(pid),
  };
}

/** The first start and the first end count: what is appended later changes nothing. */
function record(lines: readonly string[]) {
  const signals = lines
    .map((line) => /^signal ([A-Z][A-Z0-9+]{0,15})$/.exec(line)?.[1])
    .filter((name) => name !== undefined);
  return { startedAtMs: firstRead(lines, start), signals, end: firstRead(lines, end) };
}

function firstRead<Value>(lines: readonly string[], read: (line: string) => Value | null): Value | null {
  for (const line of lines) {
    const value = read(line);
    if (value !== null) return value;
  }
  return null;
}

function start(line: string): number | null {
  const match = /^start (\d+)$/.exec(line);
  return match && ms(match[1]!);
}

function end(line: string): ClaimEnd | null {
  const match = /^end (\d{1,3}) (\d+) (\d+) (\d+)$/.exec(line);
  if (!match || Number(match[1]) > 255) return null;
  const [, code, epoch, peak, oomKills] = match;
  return {
    code: Number(code),
    endedAtMs: ms(epoch!),
    peakMemoryBytes: Number(peak) || null,
    oomKills: Number(oomKills),
  };
}

function ms(epochSeconds: string): number | null {
  return Number(epochSeconds) * 1000 || null;
}
