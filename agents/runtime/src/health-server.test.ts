import { expect, it } from 'vitest';
import { startHealthServer } from './health-server.ts';

it('is live while it runs, and ready when nothing is wrong', async () => {
  let problem: string | null = 'no session with the broker';
  const server = await startHealthServer(0, () => problem);
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [answer.status, await answer.text()];
  };
  try {
    expect(await ask('/livez')).toEqual([200, 'ok\n']);
    expect(await ask('/readyz')).toEqual([503, 'no session with the broker\n']);
    problem = null;
    expect(await ask('/readyz')).toEqual([200, 'ok\n']);
    expect((await ask('/'))[0]).toBe(404);
  } finally {
    await server.close();
  }
});
