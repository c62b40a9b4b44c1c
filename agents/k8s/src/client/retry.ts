import type { KubeError } from './kube-error.ts';

const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/** Exponential, with full jitter: anything between nothing and the step, so that many never come back at once. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  return Math.round(random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 20)));
}

/**
 * How long to wait before the next attempt, or nothing when there is none: the error says that it cannot help, the
 * request may have been carried out and must not be repeated, the credentials are refused (they have been read again
 * by then), or the next attempt would begin too late.
 */
export function retryDelayMs(
  error: KubeError,
  given: {
    readonly failures: number;
    readonly elapsedMs: number;
    readonly giveUpMs: number;
    readonly repeatIsHarmless: boolean;
    readonly random?: () => number;
  },
): number | undefined {
  if (!error.retryable || error.kind === 'unauthorized') return undefined;
  if (error.unclear && !given.repeatIsHarmless) return undefined;
  const delayMs = (error.retryAfterMs ?? 0) + backoffMs(given.failures, given.random);
  return given.elapsedMs + delayMs < given.giveUpMs ? delayMs : undefined;
}
