import type { JobSpec } from './job-spec.ts';
import { type RangeSet, rangeSet } from './range-set.ts';

/** The tasks of a validated job: the indexes of its array, or the one task 0. */
export function taskSet(spec: Pick<JobSpec, 'array'>): RangeSet {
  return spec.array === undefined ? [[0, 0]] : rangeSet(spec.array.tasks);
}

/** A job with `array` is an array even with one index: its payload expects the native array variables. */
export function isArray(spec: Pick<JobSpec, 'array'>): boolean {
  return spec.array !== undefined;
}
