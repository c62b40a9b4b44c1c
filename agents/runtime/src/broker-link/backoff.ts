const FIRST_MS = 200;
const LONGEST_MS = 15_000;

/** How long to wait before the next connection: doubling, and jittered so that many agents do not come back at once. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 20));
  return Math.round(most * (0.5 + random() / 2));
}
