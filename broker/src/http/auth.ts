import type { Viewer } from '../db/as-principal.ts';
import type { Role, Token } from '../db/tokens.ts';
import { SwitchyardError } from '../errors.ts';
import { tokenHash } from '../token.ts';

/** Who asks. Members see their groups and what lies below them; the other roles see every group. */
export type Principal = Token & { readonly viewer: Viewer };

export type Authenticate = (authorization: string | undefined) => Promise<Principal>;

/** A revoked token may still be taken for so long; a look-up per request would cost more than the request itself. */
const CACHE_MS = 30_000;
const CACHE_SIZE = 10_000;

/**
 * Bearer tokens (RFC 6750). What is compared, here and in the index of the database, is the digest of 256 random bits: how
 * long that takes tells nothing about the token. Unknown, expired and revoked ones get the same answer.
 */
export function createAuthenticate(
  findToken: (hash: Buffer) => Promise<Token | null>,
  now: () => number = Date.now,
): Authenticate {
  const cache = new Map<string, { principal: Promise<Principal | null>; until: number }>();

  function lookUp(token: string): Promise<Principal | null> {
    const hash = tokenHash(token);
    const key = hash.toString('base64');
    const cached = cache.get(key);
    if (cached && cached.until > now()) return cached.principal;
    if (cache.size >= CACHE_SIZE) cache.clear();
    const principal = findToken(hash).then((found) => found && withViewer(found));
    cache.set(key, { principal, until: now() + CACHE_MS });
    // Neither a failure nor an unknown token is remembered: the next request asks again.
    const forget = () => cache.delete(key);
    principal.then((found) => found ?? forget(), forget);
    return principal;
  }

  return async (authorization) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined)
      throw new SwitchyardError('unauthenticated', 'The request carries no token.', {
        hint: 'Send the header Authorization: Bearer yt_… ; the first start of the broker printed an admin token.',
      });
    if (token.startsWith('yc_'))
      throw new SwitchyardError('unauthenticated', 'This is the token of a cluster, for its agent alone.', {
        hint: 'Use a token that begins with yt_.',
      });
    const principal = /^yt_[A-Za-z0-9_-]{43}$/.test(token) ? await lookUp(token) : null;
    if (principal === null)
      throw new SwitchyardError('unauthenticated', 'The token is not known, was revoked or has expired.', {
        hint: 'Ask an admin for a new one.',
      });
    return principal;
  };
}

/** Refuses everybody whose role is not named. */
export function requireRole(principal: Principal, ...roles: Role[]): void {
  if (!roles.includes(principal.role))
    throw new SwitchyardError('forbidden', `A token with the role ${principal.role} may not do that.`, {
      hint: `It takes the role ${roles.join(' or ')}.`,
    });
}

/** Refuses a job for a group that the principal does not belong to. */
export function requireGroup(principal: Principal, group: string): void {
  requireRole(principal, 'admin', 'member');
  if (!mayUseGroup(principal, group))
    throw new SwitchyardError('forbidden', `This token may not submit to the group ${group}.`, {
      hint: `Its groups: ${principal.groups.join(', ') || 'none'}.`,
    });
}

/** True when the principal belongs to the group or to one above it; an admin belongs to all. */
export function mayUseGroup({ role, groups }: Pick<Principal, 'role' | 'groups'>, group: string): boolean {
  if (role === 'admin') return true;
  return role === 'member' && groups.some((own) => group === own || group.startsWith(`${own}/`));
}

function withViewer(token: Token): Principal {
  return { ...token, viewer: { seeAll: token.role !== 'member', groups: token.groups } };
}
