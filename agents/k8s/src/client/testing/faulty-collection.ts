import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Thing } from './thing-sink.ts';

export type FaultyCollection = {
  readonly url: string;
  put(name: string): void;
  remove(name: string): void;
  /** All watches break off. */
  cutWatches(): void;
  /** A round trip that never fails; as long as it takes, other things arrive. */
  ping(): Promise<void>;
  /** The past is forgotten: older versions and pages answer 410. */
  compact(): void;
  versions(): Record<string, string>;
  /** From now on everything works. */
  heal(): void;
  close(): Promise<void>;
};

type Change = { readonly version: number; readonly line: string };

/** A collection that keeps the rules of list and watch and breaks everything that may break, as `chance` says (0 to 1). */
export async function startFaultyCollection(chance: () => number): Promise<FaultyCollection> {
  let things = new Map<string, Thing>();
  const snapshots = new Map<number, Map<string, Thing>>();
  const changes: Change[] = [];
  const watches = new Set<ServerResponse>();
  let version = 1;
  let oldest = 1;
  let faulty = true;
  const breaks = (share: number) => faulty && chance() < share;

  const change = (type: string, thing: Thing) => {
    const line = `${JSON.stringify({ type, object: thing })}\n`;
    changes.push({ version, line });
    for (const watch of watches) send(watch, line);
  };
  const send = (watch: ServerResponse, line: string) => {
    if (!breaks(0.15)) return watch.write(line);
    watches.delete(watch);
    const part = line.slice(0, Math.floor(chance() * line.length));
    return watch.write(part, () => watch.socket?.destroy());
  };

  const list = (response: ServerResponse, query: URLSearchParams) => {
    const [at, from] = (query.get('continue') ?? `${version}:0`).split(':').map(Number) as [number, number];
    const all = [...(at === version ? things : (snapshots.get(at) ?? [])).values()];
    if (at < oldest) return json(response, 410, { message: 'the continue parameter is too old' });
    snapshots.set(version, new Map(things));
    const next = from + Number(query.get('limit'));
    const token = next < all.length ? `${at}:${next}` : '';
    return json(response, 200, {
      metadata: { resourceVersion: String(at), continue: token },
      items: all.slice(from, next),
    });
  };
  const watch = (response: ServerResponse, from: number) => {
    if (from < oldest && breaks(0.5)) return json(response, 410, { code: 410, message: 'too old' });
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < oldest)
      return response.end(`${JSON.stringify({ type: 'ERROR', object: { code: 410, message: 'too old' } })}\n`);
    watches.add(response);
    response.once('close', () => watches.delete(response));
    for (const past of changes) {
      if (past.version > from && watches.has(response)) send(response, past.line);
    }
    if (watches.has(response) && breaks(0.2)) {
      response.write(
        `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } })}\n`,
      );
    }
    return undefined;
  };

  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '/', 'http://x').searchParams;
    if (request.url === '/ping') return response.end();
    if (breaks(0.1)) return request.socket.destroy();
    if (breaks(0.1)) return json(response, [429, 500, 503, 504][Math.floor(chance() * 4)]!, { message: 'not now' });
    return query.has('watch') ? watch(response, Number(query.get('resourceVersion'))) : list(response, query);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    put: (name) => {
      version += 1;
      const thing = { metadata: { name, resourceVersion: String(version) } };
      const type = things.has(name) ? 'MODIFIED' : 'ADDED';
      things = new Map(things).set(name, thing);
      change(type, thing);
    },
    remove: (name) => {
      if (!things.has(name)) return;
      version += 1;
      things = new Map(things);
      things.delete(name);
      change('DELETED', { metadata: { name, resourceVersion: String(version) } });
    },
    cutWatches: () => {
      for (const response of watches) response.socket?.destroy();
      watches.clear();
    },
    ping: async () => {
      await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/ping`)).text();
    },
    compact: () => {
      oldest = version;
    },
    versions: () =>
      Object.fromEntries([...things].sort().map(([name, thing]) => [name, thing.metadata.resourceVersion])),
    heal: () => {
      faulty = false;
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', ...(status === 429 ? { 'retry-after': '0' } : {}) });
  response.end(JSON.stringify(body));
}
