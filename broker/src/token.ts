import { createHash, randomBytes } from 'node:crypto';

/** 256 bits from the system's generator; the prefix says whose it is: `yt_` a person's, `yc_` a cluster's. */
export function newToken(prefix: 'yt_' | 'yc_'): string {
  return prefix + randomBytes(32).toString('base64url');
}

/** What the database keeps. The token is random, so that a plain digest is as good as a slow one. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
