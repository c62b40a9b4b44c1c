export type ListingTrust = {
  /**
   * A sentence when too many jobs that ran or waited in the last listing are absent from this one and left no end: then their
   * absence proves nothing. Null: what is absent is gone.
   */
  doubt(sight: { readonly aliveBefore: number; readonly vanished: number }): string | null;
};

const MANY = 10;

/**
 * A controller that lost its state, or hides other users' jobs after a change of settings, shows an empty queue. One job may
 * vanish; most of many at once is a fault of the listing until it has stayed so for a long time.
 */
export function createListingTrust(believedAfterMs: number, now: () => number): ListingTrust {
  let sinceMs: number | null = null;
  return {
    doubt: ({ aliveBefore, vanished }) => {
      if (vanished <= MANY || vanished * 2 <= aliveBefore) {
        sinceMs = null;
        return null;
      }
      sinceMs ??= now();
      if (now() - sinceMs >= believedAfterMs) return null;
      return `${vanished} jobs vanished from the cluster's queue at once without an end; nothing is concluded from that, ${Math.round(believedAfterMs / 60_000)} minutes long`;
    },
  };
}
