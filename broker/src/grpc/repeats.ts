/** Which messages of a session are due: at once, then again after `firstMs`, doubling up to `maxMs`, until the run has moved. */
export type Repeats = {
  /** True when the message should go out now, which counts as sent. */
  take(key: string, nowMs: number): boolean;
  /** Keys that went out and are not due again yet. */
  notDue(nowMs: number): string[];
  /** Forgets what is no longer pending, so that it goes out at once should it become pending again. */
  keepOnly(pending: ReadonlySet<string>): void;
};

export function createRepeats(firstMs = 2000, maxMs = 30_000): Repeats {
  const sent = new Map<string, { waitMs: number; dueMs: number }>();
  return {
    take(key, nowMs) {
      const before = sent.get(key);
      if (before && nowMs < before.dueMs) return false;
      const waitMs = before ? Math.min(before.waitMs * 2, maxMs) : firstMs;
      sent.set(key, { waitMs, dueMs: nowMs + waitMs });
      return true;
    },
    notDue: (nowMs) => [...sent].flatMap(([key, { dueMs }]) => (nowMs < dueMs ? [key] : [])),
    keepOnly(pending) {
      for (const key of sent.keys()) if (!pending.has(key)) sent.delete(key);
    },
  };
}
