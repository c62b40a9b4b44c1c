/** The answer of `read`, asked again once it is older than `maxAgeMs`; a failure is not kept. */
export function cached<T>(maxAgeMs: number, read: () => Promise<T>, nowMs: () => number): () => Promise<T> {
  let kept: { readonly atMs: number; readonly value: Promise<T> } | null = null;
  return () => {
    if (kept !== null && nowMs() - kept.atMs < maxAgeMs) return kept.value;
    const value = read();
    kept = { atMs: nowMs(), value };
    value.catch(() => {
      kept = null;
    });
    return value;
  };
}
