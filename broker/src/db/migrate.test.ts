import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type FreshDatabase, freshDatabase } from '../../../test/support/postgres.ts';
import { ensurePartitions } from './ensure-partitions.ts';
import { migrate } from './migrate.ts';

const released = join(import.meta.dirname, '../../../migrations');
let fresh: FreshDatabase;
let folder: string;

beforeAll(async () => {
  fresh = await freshDatabase();
  folder = mkdtempSync(join(tmpdir(), 'switchyard-migrations-'));
  cpSync(released, folder, { recursive: true });
});
afterEach(() => {
  delete process.env['SWITCHYARD_MIGRATIONS'];
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await fresh.asSuperuser('DROP DATABASE IF EXISTS other_empty');
  await fresh.asSuperuser('DROP DATABASE IF EXISTS other_plain');
  await fresh.asSuperuser('DROP ROLE IF EXISTS plain');
  await fresh.close();
});

const urlOf = (database: string, login = 'switchyard') => {
  const url = new URL(fresh.url);
  url.pathname = `/${database}`;
  url.username = login;
  return url.href;
};

test('several replicas may begin at once; each file is applied once', async () => {
  await fresh.asSuperuser('CREATE DATABASE other_empty OWNER switchyard');
  const applied = await Promise.all([1, 2, 3].map(() => migrate(urlOf('other_empty'))));
  expect(applied.flat()).toEqual(readdirSync(released).filter((name) => name.endsWith('.sql')));
});

test('a released file that has changed is an error, and so is a database that is newer', async () => {
  process.env['SWITCHYARD_MIGRATIONS'] = folder;
  writeFileSync(join(folder, '0001_more.sql'), 'CREATE TABLE more (id int);');
  expect(await migrate(urlOf('other_empty'))).toEqual(['0001_more.sql']);
  writeFileSync(join(folder, '0001_more.sql'), 'CREATE TABLE more (id bigint);');
  await expect(migrate(urlOf('other_empty'))).rejects.toThrow('0001_more.sql was changed');
  delete process.env['SWITCHYARD_MIGRATIONS'];
  await expect(migrate(urlOf('other_empty'))).rejects.toThrow('newer than this program');
});

test('a file that fails leaves nothing behind', async () => {
  process.env['SWITCHYARD_MIGRATIONS'] = folder;
  writeFileSync(join(folder, '0001_more.sql'), 'CREATE TABLE more (id int);');
  writeFileSync(join(folder, '0002_bad.sql'), 'CREATE TABLE half (id int); SELECT 1/0;');
  await expect(migrate(fresh.url)).rejects.toMatchObject({ name: 'SwitchyardError' });
  const { rows } = await fresh.asSuperuser("SELECT to_regclass('more') AS more, to_regclass('half') AS half");
  expect(rows).toEqual([{ more: 'more', half: null }]);
});

test('a login without rights is told what an administrator has to do', async () => {
  await fresh.asSuperuser('CREATE ROLE plain LOGIN');
  await fresh.asSuperuser('CREATE DATABASE other_plain');
  const failure = await migrate(urlOf('other_plain', 'plain')).catch((error) => error);
  expect(failure).toMatchObject({ code: 'unavailable', message: expect.stringContaining('plain') });
  expect(failure.hint).toContain('GRANT switchyard_owner, switchyard_system, switchyard_principal TO "plain"');
  await fresh.asSuperuser('GRANT switchyard_owner, switchyard_system, switchyard_principal TO plain');
  await fresh.asSuperuser('ALTER DATABASE other_plain OWNER TO switchyard_owner');
  expect(await migrate(urlOf('other_plain', 'plain'))).not.toEqual([]);
});

test('this month and the next have partitions; what came before them moves in', async () => {
  const { system } = fresh.db;
  await system.query(
    "INSERT INTO events (job_id, sequence, group_path, kind) VALUES (gen_random_uuid(), 1, 'g', 'submitted')",
  );
  await Promise.all([ensurePartitions(fresh.db), ensurePartitions(fresh.db)]);
  const { rows } = await fresh.asSuperuser(
    "SELECT count(*)::int AS n, bool_or(tableoid = 'events_default'::regclass) AS in_default FROM events",
  );
  expect(rows).toEqual([{ n: 1, in_default: false }]);
  const { rows: partitions } = await fresh.asSuperuser(
    "SELECT FROM pg_inherits WHERE inhparent IN ('events'::regclass, 'audit'::regclass)",
  );
  expect(partitions).toHaveLength(6);
});
