import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { SwitchyardError } from '../errors.ts';
import { prepareRoles } from './prepare-roles.ts';
import { translateError } from './translate-error.ts';

/** Any number that nothing else in this database locks. */
const LOCK = 5_934_021_177;

type Migration = { readonly name: string; readonly sql: string; readonly sha256: string };

/** Brings the database of this URL to the newest schema; safe to call from several replicas at once. Gives the names of what it applied. */
export async function migrate(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'switchyard-migrate' });
  client.on('error', () => {});
  try {
    await client.connect();
    // Held until the connection ends: a second replica waits here and then finds everything done.
    await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
    await prepareRoles(client);
    await client.query('SET ROLE switchyard_owner');
    await client.query('SET client_min_messages = warning');
    return await applyNew(client, readMigrations());
  } catch (error) {
    throw translateError(error);
  } finally {
    await client.end().catch(() => {});
  }
}

async function applyNew(client: pg.Client, migrations: readonly Migration[]): Promise<string[]> {
  await client.query(`CREATE TABLE IF NOT EXISTS switchyard_migrations
    (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
  const { rows } = await client.query<{ name: string; sha256: string }>(
    'SELECT name, sha256 FROM switchyard_migrations',
  );
  const applied = new Map(rows.map((row) => [row.name, row.sha256]));
  refuseSurprises(migrations, applied);
  const fresh = migrations.filter((migration) => !applied.has(migration.name));
  for (const migration of fresh) await apply(client, migration);
  return fresh.map((migration) => migration.name);
}

function refuseSurprises(migrations: readonly Migration[], applied: ReadonlyMap<string, string>): void {
  for (const { name, sha256 } of migrations)
    if (applied.has(name) && applied.get(name) !== sha256)
      throw new SwitchyardError(
        'unavailable',
        `The migration ${name} was changed after it had been applied to this database.`,
      );
  const known = new Set(migrations.map((migration) => migration.name));
  const newer = [...applied.keys()].find((name) => !known.has(name));
  if (newer !== undefined)
    throw new SwitchyardError(
      'unavailable',
      `This database is newer than this program: it has the migration ${newer}.`,
      {
        hint: 'Start the newer version of Switchyard, or restore the database from before the update.',
      },
    );
}

async function apply(client: pg.Client, { name, sql, sha256 }: Migration): Promise<void> {
  await client.query('BEGIN');
  await client.query(sql);
  await client.query('INSERT INTO switchyard_migrations (name, sha256) VALUES ($1, $2)', [name, sha256]);
  await client.query('COMMIT');
}

function readMigrations(): Migration[] {
  const folder = migrationsFolder();
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => {
      const sql = readFileSync(join(folder, name), 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    });
}

/** Beside a bundle, or at the root of the checkout. */
function migrationsFolder(): string {
  const candidates = [
    process.env['SWITCHYARD_MIGRATIONS'],
    join(import.meta.dirname, 'migrations'),
    join(import.meta.dirname, '../../../migrations'),
  ];
  const folder = candidates.find((path) => path !== undefined && existsSync(path));
  if (folder === undefined) throw new SwitchyardError('internal', 'The folder with the migrations is missing.');
  return folder;
}
