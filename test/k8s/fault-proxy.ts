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
  | { readonly kind: 'refuse'; readonly status: 410 | 429 | 500 | 503 | 504; readonly retryAfterSeconds?: number }
  /** Its connection breaks after so many bytes of the answer, wherever that is in an event; or after a while, if they do not come. */
  | { readonly kind: 'cut_after'; readonly bytes: number; readonly ms?: number }
  /** A list: the answer of an earlier list of the same path, as a lagging cache gives it; the true one, while there is none. */
  | { readonly kind: 'stale' };

export type Asked = {
  /** `get`, `list`, `watch`, `create`, `patch`, `delete`, as roles call them. */
  readonly verb: string;
  /** `jobs`, `pods`, `pods/log`, `workloads`, … */
  readonly resource: string;
  readonly path: string;
  /** What it carries, as it was sent. */
  readonly body: string;
};

export type FaultProxy = {
  readonly url: string;
  /** Asked for every request; null lets it pass. */
  decide: (asked: Asked, name: string) => Fault | null;
  /** What a request is counted as; `verb resource`, unless a test looks closer. */
  nameOf: (asked: Asked) => string;
  /** How often each name was asked, and how often each fault was made of it, as `fault name`. */
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
    nameOf: ({ verb, resource }) => `${verb} ${resource}`,
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
    const body = await whole(request);
    const asked = { ...askedOf(request.method ?? 'GET', request.url ?? '/'), body: body.toString() };
    const name = proxy.nameOf(asked);
    const fault = proxy.decide(asked, name);
    count(proxy.asked, name);
    const made = (done: Fault) => {
      count(proxy.faults, `${done.kind} ${name}`);
      if ('status' in done) count(proxy.faults, `${done.kind} ${done.status}`);
    };
    const old = fault?.kind === 'stale' ? lists.get(asked.path) : undefined;
    if (fault?.kind === 'refuse' || (fault && old)) made(fault);
    if (fault?.kind === 'refuse') return refuse(response, fault.status, fault.retryAfterSeconds);
    if (old) return sendJson(response, 200, old);
    const answer = await forward(request, response, body);
    if (fault?.kind === 'drop_reply' || fault?.kind === 'answer_after') {
      // A watch has no end to wait for; with its first byte it has been carried out.
      if (isEndless(asked)) answer.destroy();
      else await whole(answer);
      made(fault);
      return fault.kind === 'drop_reply' ? void response.destroy() : refuse(response, fault.status);
    }
    const cut = fault?.kind === 'cut_after' ? fault : undefined;
    const wasCut = () => {
      if (cut && !response.destroyed) made(cut);
      response.destroy();
    };
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    // A watch without events has been opened all the same.
    response.flushHeaders();
    const impatient = cut?.ms === undefined ? undefined : setTimeout(wasCut, cut.ms);
    const kept: Buffer[] = [];
    let left = cut?.bytes ?? Number.POSITIVE_INFINITY;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        if (asked.verb === 'list') kept.push(chunk);
        // Written before it is cut, so that a half event arrives as such.
        const last = left <= chunk.length;
        await new Promise<unknown>((resolve) => response.write(chunk.subarray(0, left), resolve));
        left -= chunk.length;
        if (last) return wasCut();
      }
    } finally {
      clearTimeout(impatient);
    }
    if (asked.verb === 'list' && answer.statusCode === 200) keepList(asked.path, Buffer.concat(kept));
    response.end();
  };

  const keepList = (path: string, body: Buffer) => {
    if (!lists.has(path)) lists.set(path, body);
    if (lists.size > OLD_LISTS) lists.delete(lists.keys().next().value!);
  };

  const forward = (request: IncomingMessage, response: ServerResponse, body: Buffer) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const { host: _, 'accept-encoding': __, ...headers } = request.headers;
      const onward = httpsRequest(new URL(request.url ?? '/', server.url), {
        ...{ method: request.method, headers, agent, rejectUnauthorized: false },
      });
      onward.on('response', resolve).on('error', reject).end(body);
      response.on('close', () => onward.destroy());
    });

  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return Object.assign(proxy, { url: `https://127.0.0.1:${(listener.address() as AddressInfo).port}` });
}

/** What a role would call the request (kubernetes.io, "Determine the Request Verb"). */
function askedOf(method: string, target: string): Omit<Asked, 'body'> {
  const { pathname, searchParams } = new URL(target, 'https://server');
  const parts = pathname.split('/').filter(Boolean);
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  // What is served at all.
  if ((parts[0] !== 'api' && parts[0] !== 'apis') || rest.length === 0)
    return { verb: 'get', resource: pathname, path: target };
  const [resource = '', name, sub] = rest[0] === 'namespaces' && rest.length > 2 ? rest.slice(2) : rest;
  const reads = searchParams.get('watch') ? 'watch' : name === undefined ? 'list' : 'get';
  const verbs: Record<string, string> = { GET: reads, POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
  return { verb: verbs[method] ?? method, resource: sub ? `${resource}/${sub}` : resource, path: target };
}

/** Watches, and outputs that are followed. */
function isEndless({ verb, path }: Asked): boolean {
  return verb === 'watch' || /[?&]follow=/.test(path);
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
