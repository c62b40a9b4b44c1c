import { audit } from './audit.ts';
import type { Database } from './database.ts';
import { inTransaction, statement } from './in-transaction.ts';

export const ROLES = ['admin', 'operator', 'viewer', 'member'] as const;
export type Role = (typeof ROLES)[number];

export type Token = {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly groups: readonly string[];
};

/** Stores a token by its SHA-256; audited. */
export function createToken(
  db: Database,
  { hash, actor, expiresAt = null, ...token }: Token & { hash: Buffer; expiresAt?: Date | null; actor: string },
): Promise<void> {
  return inTransaction(db.system, async (client) => {
    await client.query(
      'INSERT INTO tokens (id, hash, name, role, groups, expires_at) VALUES ($1, $2, $3, $4, $5, $6)',
      [token.id, hash, token.name, token.role, JSON.stringify(token.groups), expiresAt],
    );
    await audit(client, { actor, action: 'token.create', subject: token.id, after: { ...token, expiresAt } });
  });
}

/** The token that has this hash and is neither expired nor revoked. */
export async function findToken(db: Database, hash: Buffer): Promise<Token | null> {
  const { rows } = await statement<Token>(
    db.system,
    `SELECT id, name, role, groups FROM tokens
     WHERE hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
    [hash],
  );
  return rows[0] ?? null;
}

/** False only in an empty database: the first start makes the first token. */
export async function hasTokens(db: Database): Promise<boolean> {
  const { rows } = await statement<{ some: boolean }>(db.system, 'SELECT EXISTS (SELECT FROM tokens) AS some');
  return rows[0]!.some;
}
