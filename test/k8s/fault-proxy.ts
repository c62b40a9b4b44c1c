import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';

/** What goes wrong with one request. Only `refuse` keeps it from the server. */
export type Fault =
  /** It is carried out, and the connection breaks before any byte of the answer. */
  | { readonly kind: 'drop_reply' }
  /** It is carried out, and answered with this status instead. */
  | { readonly kind: 'answer_after'; readonly status: number }
  | { readonly kind: 'refuse'; readonly status: 429 | 500 | 503 | 504; readonly retryAfterSeconds?: number }
  /** A watch: its connection breaks after so many bytes, wherever that is in an event. */
  | { readonly kind: 'cut_after'; readonly bytes: number }
  /** A list: the answer of the last list of the same path, as a lagging cache gives it. */
  | { readonly kind: 'stale' };

export type Asked = {
  /** `get`, `list`, `watch`, `create`, `patch`, `delete`, as roles call them. */
  readonly verb: string;
  /** `jobs`, `pods`, `pods/log`, `workloads`, … */
  readonly resource: string;
  readonly path: string;
};

export type FaultProxy = {
  readonly url: string;
  /** Asked for every request; null lets it pass. */
  decide: (asked: Asked) => Fault | null;
  /** How often each `verb resource` was asked, and how often each fault was made of it. */
  readonly asked: Map<string, number>;
  readonly faults: Map<string, number>;
  close(): Promise<void>;
};

const OLD_LISTS = 50;

/** Stands in front of an API server, with its own certificate, and loses answers after the requests went through. */
export async function startFaultProxy(server: { url: string; certFile: string; keyFile: string }): Promise<FaultProxy> {
  const agent = new HttpsAgent({ keepAlive: true, rejectUnauthorized: false });
  const lists = new Map<string, Buffer>();
  const proxy: FaultProxy = {
    url: '',
    decide: () => null,
    asked: new Map(),
    faults: new Map(),
    close: async () => {
      agent.destroy();
      listener.closeAllConnections();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
  const listener = createServer(
    { cert: readFileSync(server.certFile), key: readFileSync(server.keyFile) },
    (request, response) => void pass(request, response).catch(() => response.destroy()),
  );

  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    const asked = askedOf(request.method ?? 'GET', request.url ?? '/');
    const fault = proxy.decide(asked);
    const name = `${asked.verb} ${asked.resource}`;
    count(proxy.asked, name);
    if (fault) count(proxy.faults, `${fault.kind} ${name}`);
    const body = await whole(request);
    if (fault?.kind === 'refuse') return refuse(response, fault.status, fault.retryAfterSeconds);
    if (fault?.kind === 'stale' && lists.has(asked.path)) return sendJson(response, 200, lists.get(asked.path)!);
    const answer = await forward(request, body);
    if (fault?.kind === 'drop_reply' || fault?.kind === 'answer_after') {
      await whole(answer);
      return fault.kind === 'drop_reply' ? response.destroy() : refuse(response, fault.status);
    }
    if (asked.verb === 'list') return sendList(asked.path, answer, response);
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    let left = fault?.kind === 'cut_after' ? fault.bytes : Number.POSITIVE_INFINITY;
    response.on('close', () => answer.destroy());
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      response.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) return response.destroy();
    }
    response.end();
  };

  const sendList = async (path: string, answer: IncomingMessage, response: ServerResponse) => {
    const body = await whole(answer);
    if (answer.statusCode === 200 && !lists.has(path)) lists.set(path, body);
    if (lists.size > OLD_LISTS) lists.delete(lists.keys().next().value!);
    sendJson(response, answer.statusCode ?? 502, body);
  };

  const forward = (request: IncomingMessage, body: Buffer) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const { host: _, 'accept-encoding': __, ...headers } = request.headers;
      const onward = httpsRequest(new URL(request.url ?? '/', server.url), {
        ...{ method: request.method, headers, agent, rejectUnauthorized: false },
      });
      onward.on('response', resolve).on('error', reject).end(body);
      request.socket.on('close', () => onward.destroy());
    });

  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return Object.assign(proxy, { url: `https://127.0.0.1:${(listener.address() as AddressInfo).port}` });
}

/** What a role would call the request (kubernetes.io, "Determine the Request Verb"). */
function askedOf(method: string, target: string): Asked {
  const { pathname, searchParams } = new URL(target, 'https://server');
  const parts = pathname.split('/').filter(Boolean);
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const [resource = '', name, sub] = rest[0] === 'namespaces' && rest.length > 2 ? rest.slice(2) : rest;
  const reads = searchParams.get('watch') ? 'watch' : name === undefined ? 'list' : 'get';
  const verbs: Record<string, string> = { GET: reads, POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
  return { verb: verbs[method] ?? method, resource: sub ? `${resource}/${sub}` : resource, path: target };
}

async function whole(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function refuse(response: ServerResponse, status: number, retryAfterSeconds?: number): void {
  if (retryAfterSeconds !== undefined) response.setHeader('retry-after', String(retryAfterSeconds));
  const body = {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: 'made by the fault proxy',
    code: status,
  };
  sendJson(response, status, Buffer.from(JSON.stringify(body)));
}

function sendJson(response: ServerResponse, status: number, body: Buffer): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
