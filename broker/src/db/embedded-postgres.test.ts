import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres.ts';

let dataDir: string;
beforeAll(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'switchyard-embedded-'));
});
let running: EmbeddedPostgres | undefined;
async function start(dir = dataDir): Promise<EmbeddedPostgres> {
  running = await startEmbeddedPostgres({ dataDir: dir });
  return running;
}
afterEach(() => running?.stop());
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

async function query(url: string, sql: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function postmasterPid(): number | null {
  try {
    return Number(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);
  } catch {
    return null;
  }
}

test('an unprivileged login on a private server, whose passwords only we can read', async () => {
  const server = await start();
  const rows = await query(server.url, 'SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user');
  expect(rows).toEqual([{ rolsuper: false, rolcreatedb: false }]);
  await query(server.url, 'CREATE TABLE kept (id int)');
  expect(new URL(server.url).hostname).toBe('127.0.0.1');
  expect(statSync(join(dataDir, 'postgres-passwords.json')).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(dataDir, 'postgres'))).toEqual(['data']);
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow('Another broker works with this data directory');
  expect(await query(server.url, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 0 }]);
  await server.stop();
  expect(postmasterPid()).toBeNull();
});

test('after a kill of the broker its server is taken over, with all its data', async () => {
  const program = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(import.meta.resolve('./embedded-postgres.ts'))});
    await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} });
    process.stdout.write('up');
    setInterval(() => {}, 1000);`;
  const broker = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(broker.stdout, 'data');
  broker.kill('SIGKILL');
  await once(broker, 'exit');
  const orphan = postmasterPid();
  const server = await start();
  expect(postmasterPid()).not.toBe(orphan);
  expect(await query(server.url, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 0 }]);
  await server.stop();
});

test('a server that dies is started again under the same address', async () => {
  const server = await start();
  const first = postmasterPid()!;
  process.kill(first, 'SIGKILL');
  const answers = async () => {
    for (;;) {
      const rows = await query(server.url, 'SELECT 1 AS one').catch(() => null);
      if (rows && postmasterPid() !== first) return rows;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  expect(await answers()).toEqual([{ one: 1 }]);
  await server.stop();
}, 60_000);

test.runIf(process.getuid?.() === 0)(
  'where root bars everybody from its folders, the server lives elsewhere and is found again',
  async () => {
    const barred = mkdtempSync(join(dataDir, 'home-'));
    const dir = join(barred, 'share/switchyard');
    await query((await start(dir)).url, 'CREATE TABLE kept (id int)');
    await running!.stop();
    const home = realpathSync(join(dir, 'postgres'));
    expect(home).toMatch(/^\/var\/lib\/switchyard\/postgres-/);
    chmodSync(barred, 0o755);
    expect(await query((await start(dir)).url, 'SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 0 }]);
    await running!.stop();
    rmSync(home, { recursive: true });
  },
);
