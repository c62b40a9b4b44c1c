/** Who may ask the API server now: so many per second after a burst, so many at the same time, in fair turns. */
export type RateLimiter = {
  /** Resolves when the request may go; the result is called when its answer is there. Lanes take turns, by their weights. */
  enter(lane: string, signal?: AbortSignal): Promise<() => void>;
  /** The server has too much to do: nobody goes for this long, then at half the rate, which recovers. */
  slowDown(forMs: number): void;
  waiting(): number;
  /** Those who wait are turned away. */
  close(): void;
};

type Waiter = { readonly go: (leave: () => void) => void; readonly turnAway: (reason: unknown) => void };

const LEAST_FACTOR = 1 / 16;
const RECOVERY_MS = 20_000;
/** Answers 429 come in crowds; one crowd halves the rate once. */
const HALVE_AT_MOST_EVERY_MS = 1_000;

export function createRateLimiter(options: {
  readonly requestsPerSecond: number;
  readonly burst: number;
  readonly concurrency: number;
  /** How many of a lane go in a row while others wait; 1 without a word. */
  readonly weights?: Readonly<Record<string, number>>;
}): RateLimiter {
  const lanes = new Map<string, Waiter[]>();
  let tokens = options.burst;
  let factor = 1;
  let places = options.concurrency;
  let countedAtMs = performance.now();
  let pausedUntilMs = 0;
  let halvedAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  /** How many of the first lane have gone in a row. */
  let inARow = 0;

  const refill = () => {
    const nowMs = performance.now();
    if (nowMs <= countedAtMs) return;
    const elapsedMs = nowMs - countedAtMs;
    countedAtMs = nowMs;
    factor = Math.min(1, factor + elapsedMs / RECOVERY_MS);
    tokens = Math.min(options.burst, tokens + (elapsedMs / 1000) * options.requestsPerSecond * factor);
  };

  /** The lane whose turn it is goes to the end of the line when it has had as many as its weight. */
  const nextWaiter = (): Waiter | undefined => {
    for (const [lane, line] of lanes) {
      const waiter = line.shift();
      inARow += 1;
      if (line.length === 0 || inARow >= (options.weights?.[lane] ?? 1)) {
        lanes.delete(lane);
        if (line.length > 0) lanes.set(lane, line);
        inARow = 0;
      }
      if (waiter) return waiter;
    }
    return undefined;
  };

  const leaveOnce = () => {
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      places += 1;
      letIn();
    };
  };

  const letIn = () => {
    clearTimeout(timer);
    timer = undefined;
    refill();
    while (places > 0 && lanes.size > 0) {
      const waitMs = Math.max(
        pausedUntilMs - performance.now(),
        tokens >= 1 ? 0 : ((1 - tokens) * 1000) / (options.requestsPerSecond * factor),
      );
      if (waitMs > 0) {
        timer = setTimeout(letIn, Math.ceil(waitMs));
        return;
      }
      tokens -= 1;
      places -= 1;
      nextWaiter()?.go(leaveOnce());
    }
  };

  return {
    enter: (lane, signal) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(closedError());
        if (signal?.aborted) return reject(signal.reason);
        const line = lanes.get(lane) ?? [];
        const leaveLine = () => {
          const at = line.indexOf(waiter);
          if (at >= 0) line.splice(at, 1);
          if (line.length === 0 && lanes.get(lane) === line) lanes.delete(lane);
          reject(signal?.reason);
        };
        const waiter: Waiter = {
          go: (leave) => {
            signal?.removeEventListener('abort', leaveLine);
            resolve(leave);
          },
          turnAway: reject,
        };
        signal?.addEventListener('abort', leaveLine, { once: true });
        line.push(waiter);
        lanes.set(lane, line);
        letIn();
      }),
    slowDown: (forMs) => {
      refill();
      const nowMs = performance.now();
      tokens = 0;
      pausedUntilMs = Math.max(pausedUntilMs, nowMs + forMs);
      // Nothing is saved up during the pause, and the rate recovers after it.
      countedAtMs = pausedUntilMs;
      if (nowMs - halvedAtMs < HALVE_AT_MOST_EVERY_MS) return;
      halvedAtMs = nowMs;
      factor = Math.max(LEAST_FACTOR, factor / 2);
    },
    waiting: () => [...lanes.values()].reduce((sum, line) => sum + line.length, 0),
    close: () => {
      closed = true;
      clearTimeout(timer);
      for (const line of lanes.values()) for (const waiter of line) waiter.turnAway(closedError());
      lanes.clear();
    },
  };
}

function closedError(): Error {
  return new Error('The client is closed.');
}
