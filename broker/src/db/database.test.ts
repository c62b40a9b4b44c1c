import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { type Notification, openDatabase } from './database.ts';
import { inTransaction } from './in-transaction.ts';
import { notify } from './notify.ts';
import { isReady } from './readiness.ts';

let fresh: FreshDatabase;
beforeAll(async () => {
  fresh = await freshDatabase();
});
afterAll(() => fresh.close());

function heard(): Promise<Notification> {
  return new Promise((resolve) => {
    const end = fresh.db.listen((notification) => {
      end();
      resolve(notification);
    });
  });
}

test('no connection has the rights of a superuser or of the owner', async () => {
  for (const pool of [fresh.db.system, fresh.db.principal]) {
    const { rows } = await pool.query(
      'SELECT current_user AS name, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user',
    );
    expect(rows[0]).toMatchObject({ rolsuper: false, rolbypassrls: false });
    await expect(pool.query('DROP TABLE jobs')).rejects.toMatchObject({ code: '42501' });
  }
});

test('equal notifications of one flush are one, and what is not ours is ignored', async () => {
  const first = heard();
  await fresh.asSuperuser("NOTIFY switchyard, 'not json'");
  await inTransaction(fresh.db.system, (client) =>
    notify(client, { t: 'runs', c: 'north' }, { t: 'runs', c: 'north' }),
  );
  expect(await first).toEqual({ t: 'runs', c: 'north' });
});

test('a broken connection is noticed, said, and made again', async () => {
  const since = fresh.db.connectedSinceMs()!;
  const lost = new Promise<void>((resolve) => fresh.db.onConnectionLost(resolve));
  const back = new Promise<void>((resolve) => fresh.db.listen(() => {}, resolve));
  await fresh.asSuperuser(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  );
  await lost;
  expect(fresh.db.connectedSinceMs()).toBeNull();
  await back;
  expect(fresh.db.connectedSinceMs()!).toBeGreaterThanOrEqual(since);
  const next = heard();
  await fresh.asSuperuser(`NOTIFY switchyard, '{"t":"jobs"}'`);
  expect(await next).toEqual({ t: 'jobs' });
  expect(await isReady(fresh.db)).toBe(true);
});

test('a connection that breaks between two statements ends that transaction and nothing else', async () => {
  const failure = await inTransaction(fresh.db.system, async (client) => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const broken = new Promise((resolve) => client.once('end', resolve));
    await fresh.asSuperuser(`SELECT pg_terminate_backend(${rows[0]!.pid})`);
    await broken;
    return client.query('SELECT 1');
  }).catch((error) => error);
  expect(failure).toMatchObject({ name: 'SwitchyardError', code: 'unavailable', retryable: true });
  expect((await fresh.db.system.query('SELECT 7 AS seven')).rows).toEqual([{ seven: 7 }]);
});

test('a statement that never ends fails, and its connection is not used again', async () => {
  const db = await openDatabase({ url: fresh.url, applicationName: 'test', maxConnections: 1, queryWithinMs: 200 });
  const hanging = inTransaction(db.system, (client) => client.query('SELECT pg_sleep(60)'));
  await expect(hanging).rejects.toMatchObject({ code: 'unavailable', retryable: true });
  expect((await db.system.query('SELECT 7 AS seven')).rows).toEqual([{ seven: 7 }]);
  await db.close();
});

test('a transaction that lost against another runs once more', async () => {
  let times = 0;
  const result = await inTransaction(fresh.db.system, async (client) => {
    times += 1;
    if (times === 1) await client.query('DO $$ BEGIN RAISE deadlock_detected; END $$');
    return (await client.query('SELECT 7 AS seven')).rows[0].seven;
  });
  expect([result, times]).toEqual([7, 2]);
});

test.each([
  ['DO $$ BEGIN RAISE deadlock_detected; END $$', 'unavailable', true],
  ["SELECT 'secret'::int", 'invalid_request', false],
  ["INSERT INTO clusters (name, token_hash) VALUES ('x', ''), ('x', 'secret')", 'cluster_exists', false],
  ['SELECT secret FROM nowhere', 'internal', false],
])('%s leaves as an error of ours that quotes nothing', async (sql, code, retryable) => {
  const failure = await inTransaction(fresh.db.system, (client) => client.query(sql)).catch((error) => error);
  expect(failure).toMatchObject({ name: 'SwitchyardError', code, retryable });
  expect(JSON.stringify([failure.message, failure.hint, failure.cause?.message])).not.toContain('secret');
});
