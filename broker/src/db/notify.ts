import type { Notification, Queryable } from './database.ts';

/** Tells all replicas, once per flush: a NOTIFY takes a lock of the whole server at commit. */
export async function notify(client: Queryable, ...notifications: readonly Notification[]): Promise<void> {
  const payloads = [...new Set(notifications.map((notification) => JSON.stringify(notification)))];
  if (payloads.length === 0) return;
  await client.query(`SELECT pg_notify('switchyard', payload) FROM unnest($1::text[]) AS payload`, [payloads]);
}
