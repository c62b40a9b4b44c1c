import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { SwitchyardError } from '../errors.ts';
import { choosePlace, type Place } from './postgres-place.ts';

export type EmbeddedPostgres = {
  /** URL of the database `switchyard` as the unprivileged login `switchyard`. */
  readonly url: string;
  stop(): Promise<void>;
};

type Passwords = { readonly superuser: string; readonly login: string };

const run = promisify(execFile);
/** Held by the broker that uses this server: another broker on the same data must not stop it. */
const IN_USE_LOCK = 7_125_306_644;
const RESTART_MS = 500;

/** Starts the PostgreSQL of the npm registry on a private port of 127.0.0.1, its data in `<dataDir>/postgres`. */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  onLog?: (line: string) => void;
}): Promise<EmbeddedPostgres> {
  const place = choosePlace(options.dataDir);
  const passwords = keepPasswords(options.dataDir);
  await initialise(place, passwords);
  await stopLeftover(place, passwords);
  const port = await freePort();
  const server = superviseServer(place, port, options.onLog ?? (() => {}));
  try {
    const admin = await connectWhenUp(port, passwords, server);
    await takeLock(admin);
    await bootstrap(admin, passwords);
    const url = `postgres://switchyard:${passwords.login}@127.0.0.1:${port}/switchyard`;
    return {
      url,
      stop: async () => {
        await admin.end().catch(() => {});
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Made once, readable by us alone. */
function keepPasswords(dataDir: string): Passwords {
  const file = join(dataDir, 'postgres-passwords.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Passwords;
  const password = () => randomBytes(24).toString('base64url');
  const passwords = { superuser: password(), login: password() };
  writeFileSync(`${file}.new`, `${JSON.stringify(passwords)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return passwords;
}

/** A data directory appears whole or not at all, whatever is killed meanwhile. */
async function initialise({ data, binaries, identity }: Place, passwords: Passwords): Promise<void> {
  if (existsSync(join(data, 'PG_VERSION'))) return;
  const fresh = `${data}.new`;
  const passwordFile = `${data}.password`;
  rmSync(fresh, { recursive: true, force: true });
  writeFileSync(passwordFile, passwords.superuser, { mode: 0o600 });
  if (identity.uid !== undefined) chownSync(passwordFile, identity.uid, identity.gid!);
  try {
    const how = [
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C',
      '--username=postgres',
    ];
    await run(binaries.initdb, [`--pgdata=${fresh}`, ...how], { ...identity, cwd: '/' });
    writeFileSync(join(fresh, 'postgresql.auto.conf'), settings);
    chmodSync(join(fresh, 'postgresql.auto.conf'), 0o644);
    renameSync(fresh, data);
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim().split('\n').at(-1) ?? '';
    throw new SwitchyardError('unavailable', `PostgreSQL could not make its data directory ${data}: ${said}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

const settings = `listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = '128MB'
synchronous_commit = on
wal_compression = on
max_wal_size = '2GB'
checkpoint_completion_target = 0.9
random_page_cost = 1.1
jit = off
timezone = 'UTC'
`;

/** After a kill of the broker its PostgreSQL lives on. It is stopped and started again as our child, unless another broker works with it. */
async function stopLeftover(place: Place, passwords: Passwords): Promise<void> {
  const { data, binaries, identity } = place;
  const pidFile = join(data, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const status = await run(binaries.pgCtl, ['status', '-D', data], { ...identity, cwd: '/' }).catch(() => null);
  // PostgreSQL itself removes a stale pid file at start.
  if (status === null) return;
  const port = Number(readFileSync(pidFile, 'utf8').split('\n')[3]);
  const client = superuser(port, passwords);
  const connected = await client.connect().then(
    () => true,
    () => false,
  );
  try {
    if (connected) await takeLock(client);
  } finally {
    await client.end().catch(() => {});
  }
  await run(binaries.pgCtl, ['stop', '-D', data, '-m', 'fast', '-w', '-t', '60'], { ...identity, cwd: '/' });
}

type Server = { stop(): Promise<void>; hasFailed(): string | null };

/** Keeps the server running until it is stopped: one that dies is started again on the same port. */
function superviseServer({ data, binaries, identity }: Place, port: number, onLog: (line: string) => void): Server {
  let child: ChildProcess;
  let stopping = false;
  let exits = 0;
  let lastLine = '';
  let restart: NodeJS.Timeout | undefined;

  const start = () => {
    child = spawn(binaries.postgres, ['-D', data, '-p', String(port)], {
      ...identity,
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      // Its own group: Ctrl-C at the terminal goes to the broker, which stops it after its last commit.
      detached: true,
      env: { ...process.env, LC_ALL: 'C' },
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      const lines = text.split('\n').filter(Boolean);
      lastLine = lines.at(-1) ?? lastLine;
      for (const line of lines) onLog(line);
    });
    child.on('error', (error) => {
      lastLine = error.message;
    });
    child.on('exit', () => {
      exits += 1;
      if (!stopping) restart = setTimeout(start, RESTART_MS);
    });
  };
  start();

  return {
    // SIGINT is the fast shutdown: connections are ended, everything is written (postgres, manual).
    stop: async () => {
      stopping = true;
      clearTimeout(restart);
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      await ended;
    },
    hasFailed: () => (exits >= 3 ? lastLine : null),
  };
}

async function connectWhenUp(port: number, passwords: Passwords, server: Server): Promise<pg.Client> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const client = superuser(port, passwords);
    try {
      await client.connect();
      return client;
    } catch (error) {
      const failure = server.hasFailed() ?? (Date.now() > deadline ? (error as Error).message : null);
      if (failure !== null) throw new SwitchyardError('unavailable', `PostgreSQL does not start: ${failure}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function superuser(port: number, { superuser: password }: Passwords): pg.Client {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres' });
  client.on('error', () => {});
  return client;
}

async function takeLock(client: pg.Client): Promise<void> {
  const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS free', [IN_USE_LOCK]);
  if (!rows[0].free)
    throw new SwitchyardError('unavailable', 'Another broker works with this data directory.', {
      hint: 'Stop it first, or give this one its own SWITCHYARD_DATA_DIR.',
    });
}

/** The broker never works as superuser: row-level security would not hold for it. */
async function bootstrap(admin: pg.Client, { login }: Passwords): Promise<void> {
  const { rows } = await admin.query(`SELECT
    EXISTS (SELECT FROM pg_roles WHERE rolname = 'switchyard') AS role,
    EXISTS (SELECT FROM pg_database WHERE datname = 'switchyard') AS database`);
  const password = admin.escapeLiteral(login);
  await admin.query(
    `${rows[0].role ? 'ALTER' : 'CREATE'} ROLE switchyard LOGIN NOSUPERUSER CREATEROLE PASSWORD ${password}`,
  );
  if (!rows[0].database) await admin.query('CREATE DATABASE switchyard OWNER switchyard');
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
