import type { Client } from 'pg';
import { SwitchyardError } from '../errors.ts';

/**
 * The three roles of the database. Roles belong to the whole server and not to one database, so this is done at every start:
 * the login of today need not be the one that ran the migrations.
 */
const ROLES = ['switchyard_owner', 'switchyard_system', 'switchyard_principal'] as const;

/** Makes the roles where they are missing and lets this login take them. */
export async function prepareRoles(client: Client): Promise<void> {
  await requireVersion(client);
  try {
    for (const role of ROLES) await client.query(createIfAbsent(role));
    for (const role of ROLES) await client.query(grantIfNeeded(role));
    await client.query(grantSchemaIfNeeded);
  } catch (cause) {
    const login = (await client.query('SELECT current_user AS name, current_database() AS database')).rows[0];
    throw new SwitchyardError(
      'unavailable',
      `The database login ${login.name} may not prepare the roles that Switchyard needs.`,
      { hint: `An administrator of the server can do it once: ${byHand(login)}`, cause: new Error(sqlStateOf(cause)) },
    );
  }
}

async function requireVersion(client: Client): Promise<void> {
  const { rows } = await client.query(
    "SELECT current_setting('server_version_num')::int AS number, version() AS version",
  );
  if (rows[0].number < 140_000)
    throw new SwitchyardError('unavailable', `PostgreSQL 14 or newer is needed; this one is ${rows[0].version}.`);
}

/** Another database of the same server may make the same role at this moment. */
function createIfAbsent(role: string): string {
  return `DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN CREATE ROLE ${role} NOLOGIN; END IF;
  EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`;
}

/** Membership alone is not enough since PostgreSQL 16: who made a role is a member without being able to take it (GRANT, manual). */
function grantIfNeeded(role: string): string {
  return `DO $$ BEGIN
    IF NOT pg_has_role(current_user, '${role}', CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN EXECUTE format('GRANT ${role} TO %I', current_user); END IF;
  END $$`;
}

const grantSchemaIfNeeded = `DO $$ BEGIN
  IF NOT has_schema_privilege('switchyard_owner', 'public', 'CREATE') THEN
    GRANT USAGE, CREATE ON SCHEMA public TO switchyard_owner;
  END IF;
  IF NOT has_schema_privilege('switchyard_owner', 'public', 'CREATE') THEN
    RAISE insufficient_privilege USING MESSAGE = 'no CREATE on schema public';
  END IF;
END $$`;

function byHand(login: { name: string; database: string }): string {
  const roles = ROLES.join(', ');
  const create = ROLES.map((role) => `CREATE ROLE ${role} NOLOGIN;`).join(' ');
  return `${create} GRANT ${roles} TO "${login.name}"; and, in database "${login.database}": GRANT USAGE, CREATE ON SCHEMA public TO switchyard_owner;`;
}

function sqlStateOf(error: unknown): string {
  return `SQLSTATE ${(error as { code?: string }).code ?? 'unknown'}`;
}
