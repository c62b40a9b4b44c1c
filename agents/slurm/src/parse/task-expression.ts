import { parseRangeSet, type RangeSet } from '@switchyard/core/spec/range-set.ts';

/**
 * The task field of squeue (`%K`): `7`, `4-9`, `1,3,5-20:5%2`, `[4-9]`. `N/A` is a job that is no array. Null: a text that
 * is none of these, such as a list that Slurm cut short with `...`.
 */
export function parseTaskExpression(text: string): RangeSet | 'no array' | null {
  if (text === 'N/A' || text === '') return 'no array';
  const parsed = parseRangeSet(text.replace(/^\[/, '').replace(/\]$/, '').replace(/%\d+$/, ''));
  return parsed.ok ? parsed.set : null;
}
