import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient, Query } from '../api/api-client.ts';
import { ApiFailure, NoAnswer } from '../api/api-failure.ts';
import type { ServerEvent } from '../api/server-events.ts';

/**
 * A stream that is opened again whenever it ends: a broker that stops closes its streams without a last word, so only the
 * reader knows when it has everything. `query` says from where to go on.
 */
export async function* steadyEvents(
  client: ApiClient,
  path: string,
  query: () => Query,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent> {
  let givesUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      for await (const event of client.events(path, query(), signal)) {
        givesUpAt = performance.now() + PATIENCE_MS;
        yield event;
      }
    } catch (error) {
      const passes =
        error instanceof NoAnswer || (error instanceof ApiFailure && [429, 502, 503, 504].includes(error.status));
      if (!passes || performance.now() > givesUpAt) throw error;
    }
    await delay(PAUSE_MS, undefined, { signal });
  }
}

const PATIENCE_MS = 600_000;
const PAUSE_MS = 1_000;
