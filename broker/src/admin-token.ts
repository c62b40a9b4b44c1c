import { randomUUIDv7 } from 'node:crypto';
import type { Database } from './db/database.ts';
import { createToken } from './db/tokens.ts';
import { newToken, tokenHash } from './token.ts';

/** A new token that may do everything. Only its hash is stored: whoever loses it makes another. */
export async function createAdminToken(db: Database, actor: string): Promise<string> {
  const token = newToken('yt_');
  await createToken(db, {
    ...{ id: randomUUIDv7(), name: 'admin', role: 'admin', groups: [], actor },
    hash: tokenHash(token),
  });
  return token;
}
