import type { RunStatus } from '../backend.ts';

/** Far below what one message may have, for the sizes are estimates. */
const MOST_BYTES = 2_000_000;
const MOST_RUNS = 500;

/** As many of the first items as one message should carry, at least one. */
export function firstPart<Item>(items: readonly Item[], sizeOf: (item: Item) => number): Item[] {
  let bytes = 0;
  const end = items.findIndex((item, at) => {
    bytes += sizeOf(item);
    return at > 0 && (bytes > MOST_BYTES || at >= MOST_RUNS);
  });
  return items.slice(0, end < 0 ? items.length : end);
}

/** About how many bytes a status has on the wire: the ranges of a large array are what makes it large. */
export function wireSize(status: RunStatus): number {
  const ends = status.ends.reduce((sum, end) => sum + 100 + end.tasks.length + 2 * (end.detail?.length ?? 0), 0);
  return 400 + status.started.length + ends + 2 * (status.stdoutPath.length + status.stderrPath.length);
}
