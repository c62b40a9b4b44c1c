import pg from 'pg';
import type { Notification } from './database.ts';

export type Listener = {
  /** Resolves when it listens for the first time; rejects when that fails. */
  readonly ready: Promise<void>;
  /** Calls back for every notification; `onReconnect` when some may have been missed. Gives the function that ends it. */
  listen(onNotification: (notification: Notification) => void, onReconnect?: () => void): () => void;
  /** Since when the connection has held without a break, as performance.now(), which no clock that is set can move; null while there is none. */
  connectedSinceMs(): number | null;
  /** Called when the listening connection breaks: the database may be another one, or an older one, when it is back. Gives the function that ends it. */
  onConnectionLost(callback: () => void): () => void;
  close(): Promise<void>;
};

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 2000;
/** A connection that a network has silently dropped says nothing: it is asked, and an answer is awaited only so long. */
const HEARTBEAT_MS = 5000;

/** One connection of its own that listens on the channel `switchyard` and comes back by itself. */
export function startListener(options: pg.ClientConfig): Listener {
  const listeners = new Set<{ onNotification: (notification: Notification) => void; onReconnect?: () => void }>();
  const lost = new Set<() => void>();
  let client: pg.Client | null = null;
  let connectedSince: number | null = null;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  const heartbeat = setInterval(() => {
    const asked = client;
    if (asked && connectedSince !== null) asked.query('SELECT 1').catch(() => drop(asked));
  }, HEARTBEAT_MS).unref();

  async function connect(): Promise<void> {
    const next = new pg.Client({ ...options, query_timeout: HEARTBEAT_MS, connectionTimeoutMillis: HEARTBEAT_MS });
    next.on('error', () => drop(next));
    next.on('end', () => drop(next));
    next.on('notification', ({ payload }) => deliver(payload ?? ''));
    client = next;
    await next.connect();
    await next.query('LISTEN switchyard');
    connectedSince = performance.now();
  }

  function drop(broken: pg.Client): void {
    if (client !== broken) return;
    client = null;
    broken.end().catch(() => {});
    if (connectedSince === null) return;
    connectedSince = null;
    if (closed) return;
    for (const callback of [...lost]) callback();
    reconnect(FIRST_RETRY_MS);
  }

  function reconnect(afterMs: number): void {
    retry = setTimeout(async () => {
      try {
        await connect();
        for (const { onReconnect } of [...listeners]) onReconnect?.();
      } catch {
        client = null;
        if (!closed) reconnect(Math.min(LAST_RETRY_MS, afterMs * 2));
      }
    }, afterMs);
  }

  function deliver(payload: string): void {
    const notification = parse(payload);
    if (notification) for (const { onNotification } of [...listeners]) onNotification(notification);
  }

  return {
    ready: connect(),
    listen: (onNotification, onReconnect) => {
      const entry = onReconnect ? { onNotification, onReconnect } : { onNotification };
      listeners.add(entry);
      return () => listeners.delete(entry);
    },
    connectedSinceMs: () => connectedSince,
    onConnectionLost: (callback) => {
      lost.add(callback);
      return () => lost.delete(callback);
    },
    close: async () => {
      closed = true;
      clearTimeout(retry);
      clearInterval(heartbeat);
      const last = client;
      client = null;
      await last?.end().catch(() => {});
    },
  };
}

/** Anybody who may connect may notify: what is not ours is ignored. */
function parse(payload: string): Notification | null {
  try {
    const value = JSON.parse(payload) as Notification;
    return typeof value?.t === 'string' ? value : null;
  } catch {
    return null;
  }
}
