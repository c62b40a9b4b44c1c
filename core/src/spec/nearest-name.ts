/** The known name that somebody probably meant by `name`, or null when none is close: a third of its letters wrong, two at least, one in a short name. */
export function nearestName(name: string, known: Iterable<string>): string | null {
  const folded = fold(name);
  let best: string | null = null;
  let bestDistance = (folded.length <= 3 ? 1 : Math.max(2, Math.floor(folded.length / 3))) + 1;
  for (const candidate of known) {
    const distance = editDistance(folded, fold(candidate));
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `wall_time`, `wall-time` and `wallTime` differ in nothing that people mean. */
function fold(name: string): string {
  return name.slice(0, 64).toLowerCase().replaceAll(/[-_ ]/g, '');
}

/** Levenshtein distance, one row at a time. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const change = row[j - 1]! + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[right.length]!;
}
