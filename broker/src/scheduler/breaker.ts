import type { RecentEnds } from '../db/recent-ends.ts';

/** Only what ended within this time counts. */
export const BREAKER_WINDOW_SECONDS = 60;

/** Fewer bad ends than this say nothing. */
const MIN_BAD_ENDS = 10;
const MIN_BAD_JOBS = 3;
/** A cluster that still does some work right is left to the retry rules. */
const BAD_SHARE = 0.8;

/** Why work should keep away from this cluster for a while, or null. The black hole that looks freest takes everything and runs nothing. */
export function breakerReason(ends: RecentEnds): string | null {
  const bad = ends.refused + ends.vanished;
  if (bad < MIN_BAD_ENDS || ends.badJobs < MIN_BAD_JOBS || bad < BAD_SHARE * ends.ended) return null;
  const what = ends.refused >= ends.vanished ? 'were refused before they started' : 'disappeared without a trace';
  return `${bad} of ${ends.ended} runs that ended here within ${BREAKER_WINDOW_SECONDS} s ${what}`;
}
