import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Config } from './config.ts';
import { type Database, openDatabase } from './db/database.ts';
import { startEmbeddedPostgres } from './db/embedded-postgres.ts';
import { ensurePartitions } from './db/ensure-partitions.ts';
import { purgeLogReads } from './db/log-reads.ts';
import { purgeLogTails } from './db/log-tails.ts';
import { migrate } from './db/migrate.ts';
import { SwitchyardError } from './errors.ts';
import { type GrpcServer, startGrpc } from './grpc/server.ts';
import { buildApp } from './http/app.ts';
import { startScheduler } from './scheduler/leader.ts';
import { defaultSchedulerSettings } from './scheduler/settings.ts';

export type Broker = {
  readonly db: Database;
  readonly app: FastifyInstance;
  /** `http://127.0.0.1:8470`, as people reach it from this machine. */
  readonly url: string;
  readonly grpcAddress: string;
  /** Where the data is, in words for people. */
  readonly database: string;
  /** Answers what it took, gives the lease back, and leaves nothing running. */
  stop(): Promise<void>;
};

const HOUR_MS = 3_600_000;
const DRAFTS_MS = 60_000;

/** Starts every part in the order in which one needs the other; when one cannot start, those before it are stopped again. */
export async function startBroker(config: Config, version: string): Promise<Broker> {
  const stops: (() => Promise<unknown> | unknown)[] = [];
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await Promise.resolve(each()).catch(() => {});
  };
  try {
    const { url: databaseUrl, words } = await findDatabase(config, stops);
    const db = await openMigrated(databaseUrl, words, version);
    stops.push(() => db.close());
    await ensurePartitions(db);

    let grpc: GrpcServer | null = null;
    const grpcHost = reachableHost(config.grpc);
    const grpcAddress = () => (grpc === null ? null : `${grpcHost}:${grpc.port}`);
    const placement = { policy: config.placement.policy, staleAfterMs: defaultSchedulerSettings.staleAfterMs };
    const logger = { level: config.logLevel, stream: process.stderr };
    const app = await buildApp({ db, placement, version, grpcAddress, tls: config.http.tls, logger });
    const holder = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
    grpc = await listening('grpc', config.grpc, () => startGrpc({ db, holder, config: config.grpc, log: app.log }));
    stops.push(() => grpc?.stop());
    const scheduler = startScheduler({
      ...{ db, holder, log: app.log, metrics: app.parts.metrics },
      settings: { policy: config.placement.policy },
    });
    stops.push(() => scheduler.stop());
    stops.push(() => app.close());
    await listening('http', config.http, () => app.listen({ host: config.http.host, port: config.http.port }));
    stops.push(keepHouse(db, app));

    const { port } = app.server.address() as { port: number };
    const url = `${config.http.tls ? 'https' : 'http'}://${reachableHost(config.http)}:${port}`;
    return { db, app, url, grpcAddress: `${grpcHost}:${grpc.port}`, database: words, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function findDatabase(config: Config, stops: (() => unknown)[]): Promise<{ url: string; words: string }> {
  const { databaseUrl, dataDir } = config;
  if (databaseUrl !== undefined) {
    const { hostname, port, pathname } = new URL(databaseUrl);
    return { url: databaseUrl, words: `PostgreSQL at ${hostname}:${port || 5432}${pathname}` };
  }
  const embedded = await startEmbeddedPostgres({ dataDir });
  stops.push(() => embedded.stop());
  return { url: embedded.url, words: `embedded PostgreSQL, data in ${dataDir}` };
}

async function openMigrated(url: string, words: string, version: string): Promise<Database> {
  try {
    await migrate(url);
    return await openDatabase({ url, applicationName: `switchyard ${version}` });
  } catch (error) {
    if (!(error instanceof SwitchyardError)) throw error;
    throw new SwitchyardError(error.code, `The database (${words}) cannot be used: ${error.message}`, {
      hint:
        error.retryable && error.cause
          ? `Is it running, and is DATABASE_URL right? (${String((error.cause as Error).message)})`
          : (error.hint ?? ''),
      cause: error,
    });
  }
}

/** Says in one sentence which port is taken and what to do about it. */
async function listening<Server>(
  name: 'http' | 'grpc',
  { host, port }: Config['http'],
  listen: () => Promise<Server>,
): Promise<Server> {
  try {
    return await listen();
  } catch (error) {
    const text = String((error as Error).message);
    if (!/EADDRINUSE|EADDRNOTAVAIL|EACCES|ENOTFOUND|No address added/.test(text)) throw error;
    const why = /EACCES/.test(text)
      ? 'may not be opened by this user'
      : /EADDRNOTAVAIL|ENOTFOUND/.test(text)
        ? 'is no address of this machine'
        : 'is in use by another program';
    throw new Error(
      `${host}:${port} (${name}) ${why}; choose another with SWITCHYARD_${name.toUpperCase()}_HOST and SWITCHYARD_${name.toUpperCase()}_PORT, or stop what uses it.`,
      { cause: error },
    );
  }
}

/** A server that listens everywhere is reached by the name of its machine, unless it was told another. */
function reachableHost({ host, publicHost }: Config['http']): string {
  const name = publicHost ?? (host === '0.0.0.0' || host === '::' ? hostname() : host);
  return name.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
}

/** What must be done now and then, by any replica. */
function keepHouse(db: Database, app: FastifyInstance): () => void {
  const quietly = (work: Promise<unknown>, what: string) =>
    work.catch((error: unknown) => app.log.warn({ err: error }, `${what} failed; it is tried again`));
  const partitions = setInterval(() => quietly(ensurePartitions(db), 'making partitions'), HOUR_MS);
  const drafts = setInterval(() => quietly(purgeLogReads(db), 'removing old log reads'), DRAFTS_MS);
  const tails = setInterval(() => quietly(purgeLogTails(db), 'removing old ends of outputs'), HOUR_MS);
  return () => {
    clearInterval(tails);
    clearInterval(partitions);
    clearInterval(drafts);
  };
}
