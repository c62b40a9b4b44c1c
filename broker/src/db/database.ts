import pg, { type Pool, type PoolClient } from 'pg';
import { type Listener, startListener } from './listener.ts';
import { translateError } from './translate-error.ts';

/** What a NOTIFY of ours says; one per flush, never one per row. */
export type Notification =
  | { readonly t: 'jobs' }
  | { readonly t: 'runs'; readonly c: string }
  | { readonly t: 'events' }
  | { readonly t: 'logs'; readonly id: string };

export type Database = Pick<Listener, 'listen' | 'connectedSinceMs' | 'onConnectionLost'> & {
  /** Scheduler, agent sessions and accept batches: sees every row. */
  readonly system: Pool;
  /** Every read on behalf of a person: row-level security decides; see asPrincipal. */
  readonly principal: Pool;
  close(): Promise<void>;
};

export type DatabaseOptions = {
  readonly url: string;
  readonly applicationName: string;
  /** Of the system pool; the principal pool may have as many again. */
  readonly maxConnections?: number;
  readonly queryWithinMs?: number;
};

/** What takes longer hangs, on a lock or on a network that says nothing: an error lets whoever waits try again. */
const QUERY_WITHIN_MS = 60_000;

export type Queryable = Pick<PoolClient, 'query'>;

/** Connects; the roles and tables must be there already (migrate). No connection keeps the rights of the login: each takes its role at once. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const system = poolAs('switchyard_system', options);
  const principal = poolAs('switchyard_principal', options);
  const listener = startListener(clientOptions('switchyard_system', options));
  const close = async () => {
    await Promise.all([listener.close(), system.end(), principal.end()]);
  };
  try {
    await Promise.all([system.query('SELECT 1'), principal.query('SELECT 1'), listener.ready]);
  } catch (error) {
    await close();
    throw translateError(error);
  }
  const { listen, connectedSinceMs, onConnectionLost } = listener;
  return { system, principal, listen, connectedSinceMs, onConnectionLost, close };
}

function poolAs(role: string, options: DatabaseOptions): Pool {
  const pool = new pg.Pool({
    ...clientOptions(role, options),
    max: options.maxConnections ?? 10,
    connectionTimeoutMillis: 10_000,
    query_timeout: options.queryWithinMs ?? QUERY_WITHIN_MS,
    idleTimeoutMillis: 30_000,
  });
  // An idle connection that breaks is replaced by the next query; without a listener it would end the process.
  pool.on('error', () => {});
  // Nor is one that breaks between two statements of a transaction more than the end of that transaction: its next statement says so.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}

function clientOptions(role: string, { url, applicationName }: DatabaseOptions): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: applicationName,
    options: `-c role=${role}`,
    types: { getTypeParser: parserOf },
    keepAlive: true,
  };
}

/** Our numbers stay far below 2^53, so bigint columns come as numbers. */
const parserOf: typeof pg.types.getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8
    ? Number
    : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser;
