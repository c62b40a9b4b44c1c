import type { FastifyRequest } from 'fastify';

/** True when the caller asked for server-sent events, by the query or by the Accept header of an EventSource. */
export function wantsStream(request: FastifyRequest, follow: 'true' | 'false'): boolean {
  return follow === 'true' || (request.headers.accept ?? '').includes('text/event-stream');
}
