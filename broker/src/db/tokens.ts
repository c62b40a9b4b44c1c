import type { Database } from './database.ts';

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
  _db: Database,
  _token: Token & { hash: Buffer; expiresAt?: Date | null; actor: string },
): Promise<void> {
  throw new Error('not yet');
}

/** The token that has this hash and is neither expired nor revoked. */
export function findToken(_db: Database, _hash: Buffer): Promise<Token | null> {
  throw new Error('not yet');
}

/** False only in an empty database: the first start makes the first token. */
export function hasTokens(_db: Database): Promise<boolean> {
  throw new Error('not yet');
}
