import { count, difference, intersection, type RangeSet, takeFirst } from '../spec/range-set.ts';

/** Where tasks may go: how many could start there at once, how many it may hold, and the largest index it takes. */
export type Share = { readonly startable: number; readonly room: number; readonly maxIndex: number | null };

/**
 * Cuts tasks over clusters, in the order of `shares`: first in proportion to what each can start now, then, if tasks are left,
 * in proportion to the room each still has. Every set is disjoint; what fits nowhere is in none.
 */
export function cutArray(tasks: RangeSet, shares: readonly Share[]): RangeSet[] {
  const wanted = count(tasks);
  const now = proportion(
    wanted,
    shares.map(({ startable, room }) => Math.min(startable, room)),
  );
  const rest = wanted - sum(now);
  const later = proportion(
    rest,
    shares.map(({ room }, at) => room - now[at]!),
  );
  return handOut(
    tasks,
    shares,
    now.map((each, at) => each + later[at]!),
  );
}

/** `amount` split in proportion to the weights, by largest remainder, never above a weight; ties go to the first. */
function proportion(amount: number, weights: readonly number[]): number[] {
  const total = sum(weights);
  if (amount >= total) return [...weights];
  const exact = weights.map((weight) => (amount * weight) / total);
  const parts = exact.map(Math.floor);
  const byRemainder = exact
    .map((value, at) => ({ at, remainder: value - parts[at]! }))
    .sort((left, right) => right.remainder - left.remainder || left.at - right.at);
  for (const { at } of byRemainder.slice(0, amount - sum(parts))) parts[at]! += 1;
  return parts;
}

/** Clusters that take only small indexes choose first, so that the large ones are left for the others. */
function handOut(tasks: RangeSet, shares: readonly Share[], sizes: readonly number[]): RangeSet[] {
  const limit = (at: number) => shares[at]!.maxIndex ?? Number.POSITIVE_INFINITY;
  const order = shares.map((_, at) => at).sort((left, right) => limit(left) - limit(right) || left - right);
  const result: RangeSet[] = shares.map(() => []);
  let left = tasks;
  for (const at of order) {
    result[at] = takeFirst(reachable(left, shares[at]!.maxIndex), sizes[at]!);
    left = difference(left, result[at]!);
  }
  return result;
}

/** The tasks whose index a cluster can give a native array. */
export function reachable(tasks: RangeSet, maxIndex: number | null): RangeSet {
  return maxIndex === null ? tasks : intersection(tasks, [[0, maxIndex]]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
