/** How long this leader itself has seen each cluster out of sight, in milliseconds, without a break. */
export type OutOfSight = ReadonlyMap<string, number>;

/** A gap between two looks longer than this was not observed: the process slept, or was not the leader. */
const LONGEST_LOOK_MS = 5000;

/**
 * Adds the time since the last look to every cluster that is still unreachable; one that is seen again starts from nothing.
 * Time is counted, not read from timestamps: a leader that just began, or a clock that jumped, has observed nothing.
 */
export function advanceOutOfSight(previous: OutOfSight, unreachable: readonly string[], elapsedMs: number): OutOfSight {
  const observed = Math.max(0, Math.min(elapsedMs, LONGEST_LOOK_MS));
  return new Map(
    unreachable.map((cluster) => {
      const before = previous.get(cluster);
      return [cluster, before === undefined ? 0 : before + observed];
    }),
  );
}
