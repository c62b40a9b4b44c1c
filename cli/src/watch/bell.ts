export type Bell = {
  ring(): void;
  /** Resolves at the next ring, at once when one came since the last call, or after the time; rejects when the signal aborts. */
  heard(timeoutMs: number, signal: AbortSignal): Promise<void>;
};

/** Many rings while nobody listens count as one: whoever hears it looks at the whole state anyway. */
export function createBell(): Bell {
  let rung = false;
  let wake: (() => void) | null = null;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    heard: (timeoutMs, signal) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void) => () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', aborted);
          wake = null;
          settle();
        };
        wake = finish(() => {
          rung = false;
          resolve();
        });
        const timer = setTimeout(finish(resolve), timeoutMs);
        const aborted = finish(() => reject(signal.reason));
        signal.addEventListener('abort', aborted);
        if (signal.aborted) aborted();
        else if (rung) wake?.();
      }),
  };
}
