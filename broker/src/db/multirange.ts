import type { RangeSet } from '@switchyard/core/spec/range-set.ts';

/** `[[0,9],[12,12]]` → `{[0,10),[12,13)}`: PostgreSQL's own form, half open. */
export function toMultirange(set: RangeSet): string {
  return `{${set.map(([first, last]) => `[${first},${last + 1})`).join(',')}}`;
}

/** The way back; PostgreSQL gives ranges in this canonical form, sorted and merged. */
export function fromMultirange(text: string): RangeSet {
  return [...text.matchAll(/\[(\d+),(\d+)\)/g)].map(([, first, end]) => [Number(first), Number(end) - 1] as const);
}
