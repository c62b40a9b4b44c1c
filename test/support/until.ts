import { setTimeout as delay } from 'node:timers/promises';

/** Asks again until the answer is a fact (not undefined, null or false); the failure shows the last answer seen. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | null | false> | T | undefined | null | false,
  options: { timeoutMs?: number; everyMs?: number; describe?: () => unknown } = {},
): Promise<T> {
  const { timeoutMs = 60_000, everyMs = 50 } = options;
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      const seen = options.describe ? JSON.stringify(await options.describe(), null, 1).slice(0, 4000) : String(last);
      throw new Error(`waited ${timeoutMs} ms for: ${what}. Last seen: ${seen}`);
    }
    await delay(everyMs);
  }
}
