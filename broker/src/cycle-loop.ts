export type CycleLoop = {
  /** Something changed: a cycle runs at once when none is in flight, else right after it. */
  wake(): void;
  /** Resolves when the cycle in flight has ended; no other begins. */
  stop(): Promise<void>;
};

/**
 * Runs `cycle` when woken and at least every `fallbackMs`: never two at once, never two within `minimumGapMs`. Wake-ups
 * that arrive meanwhile are one wake-up. An idle loop adds no delay at all; one whose cycles take long rests as long as
 * each took, so that it never has more than half of the process.
 */
export function startCycleLoop(options: {
  readonly cycle: () => Promise<void>;
  readonly minimumGapMs: number;
  readonly fallbackMs: number;
  readonly onError: (error: unknown) => void;
}): CycleLoop {
  let stopped = false;
  let woken = true;
  let lastEnd = Number.NEGATIVE_INFINITY;
  let gapMs = options.minimumGapMs;
  let timer: NodeJS.Timeout | undefined;
  let inFlight: Promise<void> | undefined;

  const plan = () => {
    clearTimeout(timer);
    if (stopped || inFlight) return;
    const earliest = lastEnd + (woken ? gapMs : Math.max(gapMs, options.fallbackMs));
    const delay = earliest - performance.now();
    if (delay <= 0) begin();
    else timer = setTimeout(begin, delay);
  };

  const begin = () => {
    woken = false;
    const begun = performance.now();
    inFlight = options
      .cycle()
      .catch(options.onError)
      .finally(() => {
        inFlight = undefined;
        lastEnd = performance.now();
        gapMs = Math.max(options.minimumGapMs, lastEnd - begun);
        plan();
      });
  };

  plan();
  return {
    wake() {
      woken = true;
      plan();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await inFlight;
    },
  };
}
