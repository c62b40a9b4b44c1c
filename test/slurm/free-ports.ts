import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * Ports that nothing listens on. They lie below the ephemeral range (32768 on Linux), so that no outgoing connection of
 * another test takes one between this look and the daemon's own bind.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(12_000, 32_000);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  return [...found];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0' }, () => server.close(() => resolve(true)));
  });
}
