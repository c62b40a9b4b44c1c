import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { until } from '../../support/until.ts';

/** A reply whatever its status; the body is parsed when the server says that it is JSON. */
export type ApiReply<T> = { readonly status: number; readonly body: T };

export type ApiClient = {
  call<T>(method: string, path: string, body?: unknown, options?: { contentType?: string }): Promise<ApiReply<T>>;
  /** Creates the objects or brings them to this state, in order; a kind whose CRD was just made is waited for. */
  apply(objects: readonly object[]): Promise<void>;
  close(): void;
};

const TIMEOUT_MS = 60_000;

/** Plain JSON over few connections that stay open: what a test says to the API server is what it sees there. */
export function apiClient(options: { url: string; caFile: string; token: string }): ApiClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 16, ca: readFileSync(options.caFile) });
  const call: ApiClient['call'] = (method, path, body, each = {}) =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers: Record<string, string> = { accept: 'application/json', authorization: `Bearer ${options.token}` };
      if (text !== undefined) {
        headers['content-type'] = each.contentType ?? 'application/json';
        headers['content-length'] = String(Buffer.byteLength(text));
      }
      const sent = request(`${options.url}${path}`, { method, agent, headers, timeout: TIMEOUT_MS }, (reply) => {
        let received = '';
        reply.setEncoding('utf8');
        reply.on('data', (chunk: string) => {
          received += chunk;
        });
        reply.once('error', reject);
        reply.once('end', () => {
          const isJson = reply.headers['content-type']?.startsWith('application/json') === true;
          resolve({ status: reply.statusCode ?? 0, body: isJson ? JSON.parse(received) : received });
        });
      });
      sent.once('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer in ${TIMEOUT_MS} ms`)));
      sent.once('error', reject);
      sent.end(text);
    });

  const kinds = new Map<string, Kind>();
  return {
    call,
    apply: async (objects) => {
      for (const object of objects as readonly KubeObject[]) await applyOne(call, kinds, object);
    },
    close: () => agent.destroy(),
  };
}

type KubeObject = { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } };
type Kind = { readonly plural: string; readonly namespaced: boolean };

async function applyOne(call: ApiClient['call'], kinds: Map<string, Kind>, object: KubeObject): Promise<void> {
  const kind = await until(
    `the API server knows ${object.apiVersion} ${object.kind}`,
    () => kindOf(call, kinds, object),
    {
      timeoutMs: 15_000,
    },
  );
  const namespace = kind.namespaced ? `/namespaces/${object.metadata.namespace ?? 'default'}` : '';
  const path = `${root(object.apiVersion)}${namespace}/${kind.plural}/${object.metadata.name}`;
  const reply = await call('PATCH', `${path}?fieldManager=testbed&force=true`, object, {
    contentType: 'application/apply-patch+yaml',
  });
  if (reply.status >= 300) throw new Error(`PATCH ${path} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
}

async function kindOf(
  call: ApiClient['call'],
  kinds: Map<string, Kind>,
  object: KubeObject,
): Promise<Kind | undefined> {
  const key = (kind: string) => `${object.apiVersion} ${kind}`;
  if (!kinds.has(key(object.kind))) {
    const { status, body } = await call<ResourceList>('GET', root(object.apiVersion));
    if (status !== 200) return undefined;
    for (const each of body.resources) {
      if (!each.name.includes('/')) kinds.set(key(each.kind), { plural: each.name, namespaced: each.namespaced });
    }
  }
  return kinds.get(key(object.kind));
}

type ResourceList = { resources: { name: string; kind: string; namespaced: boolean }[] };

function root(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}
