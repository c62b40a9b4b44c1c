import { expect, test } from 'vitest';
import type { Token } from '../db/tokens.ts';
import { newToken, tokenHash } from '../token.ts';
import { createAuthenticate, mayUseGroup } from './auth.ts';

const token = newToken('yt_');
const row: Token = { id: '0', name: 'kim', role: 'member', groups: ['astro'] };

test('tokens carry 256 bits and a prefix', () => {
  expect(token).toMatch(/^yt_[A-Za-z0-9_-]{43}$/);
  expect(newToken('yc_')).not.toBe(newToken('yc_'));
});

test('a known token is looked up once in 30 s, an unknown one each time', async () => {
  let now = 0;
  let asked = 0;
  const authenticate = createAuthenticate(
    async (hash) => {
      asked += 1;
      return hash.equals(tokenHash(token)) ? row : null;
    },
    () => now,
  );
  await Promise.all([authenticate(`Bearer ${token}`), authenticate(`bearer ${token}`)]);
  expect(asked).toBe(1);
  now = 29_000;
  expect(await authenticate(`Bearer ${token}`)).toMatchObject({ name: 'kim', viewer: { seeAll: false } });
  expect(asked).toBe(1);
  now = 31_000;
  await authenticate(`Bearer ${token}`);
  expect(asked).toBe(2);
  const other = `Bearer ${newToken('yt_')}`;
  await expect(authenticate(other)).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(authenticate(other)).rejects.toMatchObject({ code: 'unauthenticated' });
  expect(asked).toBe(4);
});

test.each([undefined, '', 'Basic a2ltOng=', 'Bearer', 'Bearer x y', `Bearer ${newToken('yc_')}`, 'Bearer yt_short'])(
  'refuses %j without asking the database',
  async (header) => {
    const authenticate = createAuthenticate(() => Promise.reject(new Error('asked')));
    await expect(authenticate(header)).rejects.toMatchObject({ code: 'unauthenticated' });
  },
);

test('a group holds everything below it and nothing that only begins like it', () => {
  expect(mayUseGroup(row, 'astro')).toBe(true);
  expect(mayUseGroup(row, 'astro/stars')).toBe(true);
  expect(mayUseGroup(row, 'astrology')).toBe(false);
  expect(mayUseGroup({ role: 'viewer', groups: ['astro'] }, 'astro')).toBe(false);
  expect(mayUseGroup({ role: 'admin', groups: [] }, 'any')).toBe(true);
});
