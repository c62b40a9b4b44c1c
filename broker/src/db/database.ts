import type { Pool, PoolClient } from 'pg';

/** What a NOTIFY of ours says; one per flush, never one per row. */
export type Notification =
  | { readonly t: 'jobs' }
  | { readonly t: 'runs'; readonly c: string }
  | { readonly t: 'events' }
  | { readonly t: 'logs'; readonly id: string };

export type Database = {
  /** Scheduler, agent sessions and accept batches: sees every row. */
  readonly system: Pool;
  /** Every read on behalf of a person: row-level security decides; see asPrincipal. */
  readonly principal: Pool;
  /** Calls back for every notification; `onReconnect` when some may have been missed. Gives the function that ends it. */
  listen(onNotification: (notification: Notification) => void, onReconnect?: () => void): () => void;
  /** Since when the connection has held without a break, as Date.now(); null while there is none. */
  connectedSinceMs(): number | null;
  /** Called when the listening connection breaks: whoever commits now may speak to a database that went back in time. */
  onConnectionLost(callback: () => void): () => void;
  close(): Promise<void>;
};

export type DatabaseOptions = {
  readonly url: string;
  readonly applicationName: string;
  /** Of the system pool; the principal pool may have as many again. */
  readonly maxConnections?: number;
};

export type Queryable = Pick<PoolClient, 'query'>;

/** Connects; the roles and tables must be there already (migrate). */
export function openDatabase(_options: DatabaseOptions): Promise<Database> {
  throw new Error('not yet');
}
