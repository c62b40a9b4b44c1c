/**
 * Sets of task indexes as sorted, disjoint, non-adjacent, inclusive ranges.
 * The text form is the array dialect of `sbatch --array` without `%`: `0-9,12,20-40:5` (sbatch(1)).
 */
export type RangeSet = readonly (readonly [first: number, last: number])[];

export type RangeSetParse = { ok: true; set: RangeSet } | { ok: false; message: string };

export const EMPTY: RangeSet = [];

/** No native array goes beyond this: Slurm's own ceiling for MaxArraySize is 4,000,001 (slurm.conf(5)). */
export const MAX_INDEX = 4_000_000;

/** How many separate ranges a set may have: a bound for what one row, one message or one line carries. */
export const MAX_RANGES = 10_000;

/** Reads `0-9,12,20-40:5`; total: every input gives a set or a sentence that quotes the input. */
export function parseRangeSet(text: string): RangeSetParse {
  const ranges: [number, number][] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,7})(?:-(\d{1,7})(?::(\d{1,7}))?)?$/.exec(part.trim());
    if (!match) return bad(`'${shorten(part)}' is not an index, a range a-b or a stepped range a-b:s`);
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    const step = match[3] === undefined ? 1 : Number(match[3]);
    if (last < first) return bad(`the range '${part.trim()}' ends before it starts`);
    if (last > MAX_INDEX) return bad(`the index ${last} is above the largest possible index ${MAX_INDEX}`);
    if (step < 1) return bad(`the step of '${part.trim()}' must be at least 1`);
    if (step === 1) ranges.push([first, last]);
    else
      for (let index = first; index <= last && ranges.length <= MAX_RANGES; index += step) ranges.push([index, index]);
    if (ranges.length > MAX_RANGES) return bad(`more than ${MAX_RANGES} separate ranges`);
  }
  return { ok: true, set: normalise(ranges) };
}

/** The set of a text that we wrote ourselves; throws on anything else. The empty text is the empty set. */
export function rangeSet(text: string): RangeSet {
  if (text === '') return EMPTY;
  const parsed = parseRangeSet(text);
  if (!parsed.ok) throw new RangeError(`range set '${shorten(text)}': ${parsed.message}`);
  return parsed.set;
}

/** `[[0,9],[12,12]]` → `0-9,12`; three or more evenly spaced single indexes become `a-b:s`. */
export function formatRangeSet(set: RangeSet): string {
  const parts: string[] = [];
  for (let at = 0; at < set.length; ) {
    const run = steppedRun(set, at);
    const [first, last] = set[at]!;
    if (run.length >= 3) {
      parts.push(`${first}-${set[at + run.length - 1]![1]}:${run.step}`);
      at += run.length;
    } else {
      parts.push(first === last ? `${first}` : `${first}-${last}`);
      at += 1;
    }
  }
  return parts.join(',');
}

export function count(set: RangeSet): number {
  let total = 0;
  for (const [first, last] of set) total += last - first + 1;
  return total;
}

export function contains(set: RangeSet, index: number): boolean {
  let low = 0;
  let high = set.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const [first, last] = set[middle]!;
    if (index < first) high = middle - 1;
    else if (index > last) low = middle + 1;
    else return true;
  }
  return false;
}

export function union(...sets: readonly RangeSet[]): RangeSet {
  return normalise(sets.flatMap((set) => set.map(([first, last]): [number, number] => [first, last])));
}

/** Everything in `from` that is not in `without`. */
export function difference(from: RangeSet, without: RangeSet): RangeSet {
  const result: [number, number][] = [];
  let at = 0;
  for (const [first, last] of from) {
    let next = first;
    while (at < without.length && without[at]![1] < first) at += 1;
    for (let cut = at; cut < without.length && without[cut]![0] <= last; cut += 1) {
      const [cutFirst, cutLast] = without[cut]!;
      if (cutFirst > next) result.push([next, cutFirst - 1]);
      next = Math.max(next, cutLast + 1);
    }
    if (next <= last) result.push([next, last]);
  }
  return result;
}

export function intersection(left: RangeSet, right: RangeSet): RangeSet {
  return difference(left, difference(left, right));
}

/** The `limit` smallest indexes. */
export function takeFirst(set: RangeSet, limit: number): RangeSet {
  const result: [number, number][] = [];
  let left = limit;
  for (const [first, last] of set) {
    if (left <= 0) break;
    const end = Math.min(last, first + left - 1);
    result.push([first, end]);
    left -= end - first + 1;
  }
  return result;
}

export function* indexes(set: RangeSet): Generator<number> {
  for (const [first, last] of set) for (let index = first; index <= last; index += 1) yield index;
}

export function fromIndexes(list: Iterable<number>): RangeSet {
  return normalise([...list].map((index): [number, number] => [index, index]));
}

export function equal(left: RangeSet, right: RangeSet): boolean {
  return (
    left.length === right.length && left.every(([first, last], at) => first === right[at]![0] && last === right[at]![1])
  );
}

function normalise(ranges: [number, number][]): RangeSet {
  ranges.sort((left, right) => left[0] - right[0]);
  const result: [number, number][] = [];
  for (const [first, last] of ranges) {
    const previous = result.at(-1);
    if (previous && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else result.push([first, last]);
  }
  return result;
}

function steppedRun(set: RangeSet, from: number): { length: number; step: number } {
  const single = (at: number) => at < set.length && set[at]![0] === set[at]![1];
  if (!single(from) || !single(from + 1)) return { length: 1, step: 1 };
  const step = set[from + 1]![0] - set[from]![0];
  let length = 2;
  while (single(from + length) && set[from + length]![0] - set[from + length - 1]![0] === step) length += 1;
  return { length, step };
}

function bad(message: string): RangeSetParse {
  return { ok: false, message };
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
