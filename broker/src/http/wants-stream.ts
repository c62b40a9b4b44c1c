import type { FastifyRequest } from 'fastify';

/** True when the caller asked for server-sent events, by the query or by the Accept header of an EventSource. */
export function wantsStream({ query, headers }: Pick<FastifyRequest, 'query' | 'headers'>): boolean {
  const { follow } = (query ?? {}) as { follow?: unknown };
  return follow === 'true' || (headers.accept ?? '').includes('text/event-stream');
}
