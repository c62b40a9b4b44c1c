/** The cluster answered, but what it said cannot be the whole truth. */
export class ListingNotTrusted extends Error {
  override readonly name = 'ListingNotTrusted';
}

export type ListingTrust = {
  /** Throws when too many jobs that ran or waited in the last listing are absent from this one and left no end. */
  check(sight: { readonly aliveBefore: number; readonly vanished: number }): void;
};

const MANY = 10;

/**
 * A controller that lost its state, or hides other users' jobs after a change of settings, shows an empty queue. One job may
 * vanish; most of many at once is a fault of the listing until it has stayed so for a long time.
 */
export function createListingTrust(believedAfterMs: number, now: () => number): ListingTrust {
  let sinceMs: number | null = null;
  return {
    check: ({ aliveBefore, vanished }) => {
      if (vanished <= MANY || vanished * 2 <= aliveBefore) {
        sinceMs = null;
        return;
      }
      sinceMs ??= now();
      if (now() - sinceMs >= believedAfterMs) return;
      throw new ListingNotTrusted(
        `${vanished} of ${aliveBefore} jobs vanished from the cluster's queue at once without an end; nothing is concluded from that listing`,
      );
    },
  };
}
