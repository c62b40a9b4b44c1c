import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Received = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
};

/** An answer, `drop` for a connection that breaks after the request arrived, or a function that writes the answer itself. */
export type Reply = Answer | 'drop' | ((response: ServerResponse) => void);

type Answer = { readonly status?: number; readonly body?: unknown; readonly headers?: Record<string, string> };

export type FakeBroker = {
  readonly url: string;
  readonly received: Received[];
  /** What answers `GET /v1/jobs/42`; the query is not part of the name. */
  on(name: string, reply: (request: Received, times: number) => Reply): void;
  close(): Promise<void>;
};

/** A server on loopback that answers the REST shapes of the broker, one question at a time as the test says. */
export async function startFakeBroker(): Promise<FakeBroker> {
  const routes = new Map<string, (request: Received, times: number) => Reply>();
  const times = new Map<string, number>();
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url!, 'http://fake');
    const name = `${request.method} ${url.pathname}`;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const question: Received = {
      method: request.method!,
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
    received.push(question);
    times.set(name, (times.get(name) ?? 0) + 1);
    const reply: Reply = routes.get(name)?.(question, times.get(name)!) ?? problem(404, 'unknown_job', 'No such job.');
    if (reply === 'drop') request.socket.destroy();
    else if (typeof reply === 'function') reply(response);
    else send(response, reply);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    on: (name, reply) => void routes.set(name, reply),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function problem(status: number, code: string, detail: string, more: object = {}): Reply {
  return {
    status,
    body: { type: `urn:switchyard:problem:${code}`, title: code, status, detail, code, ...more },
    headers: { 'content-type': 'application/problem+json' },
  };
}

/** Server-sent events, then the end of the stream unless `open`; `onOpen` is told when somebody reads. */
export function eventStream(events: { event?: string; data: unknown }[], open = false, onOpen = () => {}): Reply {
  return (response) => {
    onOpen();
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const { event, data } of events)
      response.write(`${event ? `event: ${event}\n` : ''}data: ${JSON.stringify(data)}\n\n`);
    if (!open) response.end();
  };
}

function send(response: ServerResponse, { status = 200, body, headers = {} }: Answer): void {
  const bytes = Buffer.isBuffer(body) ? body : JSON.stringify(body ?? {});
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(bytes);
}
