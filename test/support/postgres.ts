import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Database, openDatabase } from '@switchyard/broker/db/database.ts';
import { migrate } from '@switchyard/broker/db/migrate.ts';
import { postgresBinaries } from '@switchyard/broker/db/postgres-binaries.ts';
import { postgresIdentity } from '@switchyard/broker/db/postgres-identity.ts';
import pg from 'pg';

/**
 * One real PostgreSQL for all tests of a run, started by the first test that asks for a database, and a fresh database for each
 * that asks: a copy of one with all migrations applied. vitest calls the default export before the first and its result after the last test.
 */
export default function setUp(): () => Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-test-postgres-'));
  process.env['SWITCHYARD_TEST_POSTGRES'] = dir;
  return async () => {
    if (existsSync(join(dir, 'data/postmaster.pid')))
      await run(binaries.pgCtl, ['stop', '-D', join(dir, 'data'), '-m', 'immediate', '-w'], { ...identity, cwd: '/' });
    rmSync(dir, { recursive: true, force: true });
  };
}

export type FreshDatabase = {
  readonly db: Database;
  /** As the login `switchyard`, which is no superuser. */
  readonly url: string;
  /** One statement past every wall, as the server's superuser. */
  asSuperuser(sql: string): Promise<pg.QueryResult>;
  close(): Promise<void>;
};

/** An empty Switchyard database of its own; close it in afterAll. */
export async function freshDatabase(options: { maxConnections?: number } = {}): Promise<FreshDatabase> {
  const server = await sharedServer();
  const name = `t_${randomBytes(8).toString('hex')}`;
  await once(server, 'postgres', `CREATE DATABASE ${name} TEMPLATE switchyard_template OWNER switchyard`);
  const url = urlOf(server, 'switchyard', name);
  const db = await openDatabase({ url, applicationName: 'test', maxConnections: options.maxConnections ?? 5 });
  return {
    db,
    url,
    asSuperuser: (sql) => once(server, name, sql),
    close: async () => {
      await db.close();
      await once(server, 'postgres', `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

const run = promisify(execFile);
const binaries = postgresBinaries();
const identity = postgresIdentity();

type Server = { readonly port: number };

let server: Promise<Server> | undefined;

function sharedServer(): Promise<Server> {
  server ??= startOrWait();
  return server;
}

/** Test files run in several processes: the first makes the folder `starting` and the server, the others wait for its port. */
async function startOrWait(): Promise<Server> {
  const dir = process.env['SWITCHYARD_TEST_POSTGRES'];
  if (dir === undefined) throw new Error('vitest must name test/support/postgres.ts as globalSetup');
  const ready = join(dir, 'port');
  try {
    mkdirSync(join(dir, 'starting'));
  } catch {
    return { port: await portIn(ready) };
  }
  const started = await start(dir);
  writeFileSync(`${ready}.new`, String(started.port));
  renameSync(`${ready}.new`, ready);
  return started;
}

async function portIn(file: string): Promise<number> {
  const deadline = Date.now() + 50_000;
  while (!existsSync(file)) {
    if (Date.now() > deadline) throw new Error('the PostgreSQL of the tests did not start');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return Number(readFileSync(file, 'utf8'));
}

async function start(dir: string): Promise<Server> {
  const as = { ...identity, cwd: '/' };
  if (identity.uid !== undefined) chownSync(dir, identity.uid, identity.gid!);
  const data = join(dir, 'data');
  const how = ['-U', 'postgres', '--auth=trust', '--no-sync', '-E', 'UTF8', '--locale=C'];
  await run(binaries.initdb, ['-D', data, ...how], as);
  const port = await freePort();
  // fsync guards against the machine dying, which no test does.
  const settings = `port=${port}\nlisten_addresses='127.0.0.1'\nunix_socket_directories=''\nmax_connections=200\nfsync=off\nsynchronous_commit=off\nfull_page_writes=off\nautovacuum_naptime=10min\ntimezone='UTC'\n`;
  writeFileSync(join(data, 'postgresql.auto.conf'), settings);
  await run(binaries.pgCtl, ['start', '-D', data, '-w', '-l', join(dir, 'log')], as);
  const server = { port };
  await once(server, 'postgres', 'CREATE ROLE switchyard LOGIN NOSUPERUSER CREATEROLE');
  await once(server, 'postgres', 'CREATE DATABASE switchyard_template OWNER switchyard');
  await migrate(urlOf(server, 'switchyard', 'switchyard_template'));
  return server;
}

async function once({ port }: Server, database: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: urlOf({ port }, 'postgres', database) });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

function urlOf({ port }: Server, user: string, database: string): string {
  return `postgres://${user}@127.0.0.1:${port}/${database}`;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
