import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type HealthServer = { readonly port: number; close(): Promise<void> };

/**
 * For whoever keeps an agent running: `/livez` answers while the process does, `/readyz` when it has a session with the broker and
 * its cluster answers. It says nothing else, so it may listen on every address of a pod.
 */
export async function startHealthServer(port: number, problem: () => string | null): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const what = request.url === '/livez' ? 'live' : request.url === '/readyz' ? 'ready' : null;
    const sentence = what === 'ready' ? problem() : null;
    response.writeHead(what === null ? 404 : sentence === null ? 200 : 503, { 'content-type': 'text/plain' });
    response.end(what === null ? 'see /livez and /readyz\n' : `${sentence ?? 'ok'}\n`);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, resolve)).catch(
    (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used: ${error.message}`;
      throw new Error(`healthPort ${port} ${why}`, { cause: error });
    },
  );
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
