/** When to list again: often while something of ours is about to change, seldom when idle, never so often that it is felt. */
export function nextPollMs(pace: {
  /** How long the last listing took: the cluster's scheduler is busy with us for at most a tenth of the time. */
  readonly listingMs: number;
  /** Since anything of ours was submitted or changed. */
  readonly quietMs: number;
  /** Something is known to be half way: a start without its claim, an end without its record. */
  readonly restless: boolean;
  /** Runs that have not ended. */
  readonly open: number;
}): number {
  const least = Math.max(SHORTEST_MS, pace.listingMs * LISTING_SHARE);
  if (pace.open === 0) return Math.max(least, LONGEST_IDLE_MS);
  // A tenth of the quiet time: whatever ends is seen after at most a tenth more than it took.
  const wanted = Math.min(LONGEST_MS, pace.quietMs / 10);
  return Math.max(least, pace.restless ? Math.min(wanted, RESTLESS_MS) : wanted);
}

const SHORTEST_MS = 150;
const LISTING_SHARE = 10;
const RESTLESS_MS = 1000;
const LONGEST_MS = 10_000;
const LONGEST_IDLE_MS = 15_000;
