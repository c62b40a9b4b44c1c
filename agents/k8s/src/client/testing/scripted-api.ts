import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** A request that reached the server and waits for what the test wants to become of it. */
export type Exchange = {
  readonly verb: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
  readonly request: IncomingMessage;
  json(status: number, body: unknown, headers?: Record<string, string>): void;
  /** A meta/v1 Status. */
  status(code: number, reason: string, message: string, headers?: Record<string, string>): void;
  /** The head of an endless answer. */
  open(): void;
  /** Watch events, or their first bytes; resolves when they are on their way. */
  event(type: string, object: unknown): Promise<void>;
  raw(text: string): Promise<void>;
  end(): void;
  /** The connection breaks: no answer, or the rest of it never comes. */
  cut(): void;
  /** Resolves when the client has gone away. */
  readonly gone: Promise<void>;
};

export type ScriptedApi = {
  readonly url: string;
  /** The next request that is not taken yet, as `GET /api/v1/pods`; waits for it. The test answers it. */
  take(expected: string): Promise<Exchange>;
  /** Requests that came so far, taken or not. */
  readonly seen: readonly string[];
  /** TCP connections accepted so far. */
  connections(): number;
  close(): Promise<void>;
};

/** An API server that does what a test says, request by request. */
export async function startScriptedApi(tls?: ServerOptions): Promise<ScriptedApi> {
  const arrived: Exchange[] = [];
  const takers: { readonly expected: string; readonly take: (exchange: Exchange) => void }[] = [];
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;

  const pair = () => {
    for (const taker of [...takers]) {
      const at = arrived.findIndex((exchange) => `${exchange.verb} ${exchange.url.pathname}` === taker.expected);
      if (at < 0) continue;
      takers.splice(takers.indexOf(taker), 1);
      taker.take(arrived.splice(at, 1)[0]!);
    }
  };
  const onRequest = async (request: IncomingMessage, response: ServerResponse) => {
    const exchange = await received(request, response).catch(() => undefined);
    if (!exchange) return;
    seen.push(`${exchange.verb} ${exchange.url.pathname}${exchange.url.search}`);
    arrived.push(exchange);
    pair();
  };

  const server = tls ? createTlsServer(tls, onRequest) : createServer(onRequest);
  server.on('connection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take: (expected) =>
      new Promise((take) => {
        takers.push({ expected, take });
        pair();
      }),
    seen,
    connections: () => connections,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function received(request: IncomingMessage, response: ServerResponse): Promise<Exchange> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  const json = (status: number, body: unknown, headers: Record<string, string> = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
  const raw = (piece: string) => new Promise<void>((written) => response.write(piece, () => written()));
  return {
    verb: request.method ?? '',
    url: new URL(request.url ?? '/', 'http://server'),
    headers: request.headers,
    body: text === '' ? undefined : JSON.parse(text),
    request,
    json,
    status: (code, reason, message, headers) =>
      json(code, { kind: 'Status', status: 'Failure', code, reason, message }, headers),
    open: () => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.flushHeaders();
    },
    event: (type, object) => raw(`${JSON.stringify({ type, object })}\n`),
    raw,
    end: () => response.end(),
    cut: () => request.socket.destroy(),
    gone: new Promise((gone) => response.once('close', () => gone())),
  };
}
