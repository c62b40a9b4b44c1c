import { once } from 'node:events';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SwitchyardError } from '../errors.ts';

export type ServerEvent = { readonly event?: string; readonly id?: string | number; readonly data: unknown };

export type EventStream = {
  /** Resolves when the client can take more; silently does nothing once the client has left. */
  send(event: ServerEvent): Promise<void>;
  /** Aborted when the client leaves or the broker stops. */
  readonly signal: AbortSignal;
  end(): void;
};

export type EventStreams = {
  open(request: FastifyRequest, reply: FastifyReply): EventStream;
  count(): number;
  closeAll(): void;
};

/** Proxies close silent connections after a minute or less. */
const HEARTBEAT_MS = 15_000;

/** Server-sent events (HTML standard, section 9.2) for at most `limit` readers at once. */
export function createEventStreams(limit: number): EventStreams {
  const open = new Set<() => void>();
  return {
    count: () => open.size,
    closeAll: () => {
      for (const close of open) close();
    },
    open: (request, reply) => {
      if (open.size >= limit)
        throw new SwitchyardError('too_many_requests', `${limit} streams are open already.`, {
          hint: 'Read without follow, or come back later.',
        });
      const controller = new AbortController();
      const stream = start(reply, controller.signal);
      const close = () => {
        if (!open.delete(close)) return;
        controller.abort();
        reply.raw.end();
      };
      open.add(close);
      request.raw.once('close', close);
      reply.raw.once('close', close).once('error', close);
      return { ...stream, signal: controller.signal, end: close };
    },
  };
}

function start(reply: FastifyReply, signal: AbortSignal): Pick<EventStream, 'send'> {
  reply.hijack();
  reply.raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Nginx would collect the events otherwise.
    'x-accel-buffering': 'no',
  });
  reply.raw.write(': open\n\n');
  const heartbeat = setInterval(() => reply.raw.write(': still here\n\n'), HEARTBEAT_MS);
  signal.addEventListener('abort', () => clearInterval(heartbeat), { once: true });
  return {
    send: async (event) => {
      if (signal.aborted) return;
      if (!reply.raw.write(frame(event))) await once(reply.raw, 'drain', { signal }).catch(() => {});
    },
  };
}

function frame({ event, id, data }: ServerEvent): string {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`;
  return `${head}data: ${JSON.stringify(data)}\n\n`;
}
