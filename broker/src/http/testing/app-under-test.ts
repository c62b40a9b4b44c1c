import { randomUUIDv7 } from 'node:crypto';
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { type FreshDatabase, freshDatabase } from '../../../../test/support/postgres.ts';
import { createToken, type Role } from '../../db/tokens.ts';
import { newToken, tokenHash } from '../../token.ts';
import { buildApp } from '../app.ts';

export type AppUnderTest = FreshDatabase & {
  readonly app: FastifyInstance;
  readonly admin: string;
  token(role: Role, groups?: readonly string[]): Promise<string>;
  /** As the admin, unless another token is given. */
  call(method: 'GET' | 'POST', url: string, options?: Call): Promise<LightMyRequestResponse>;
  submit(spec: object): Promise<{ id: string; number: number }>;
};

export type Call = { body?: unknown; token?: string | null; headers?: Record<string, string> };

/** The whole HTTP interface on a real database of its own. */
export async function appUnderTest(options: { maxStreams?: number } = {}): Promise<AppUnderTest> {
  const database = await freshDatabase({ maxConnections: 10 });
  const placement = { policy: 'least-loaded', staleAfterMs: 30_000 } as const;
  const app = await buildApp({ db: database.db, placement, version: '0.0.0', ...options });

  const token: AppUnderTest['token'] = async (role, groups = []) => {
    const secret = newToken('yt_');
    const hash = tokenHash(secret);
    await createToken(database.db, { id: randomUUIDv7(), name: `a ${role}`, role, groups, hash, actor: 'test' });
    return secret;
  };
  const admin = await token('admin');
  const call: AppUnderTest['call'] = (method, url, { body, token = admin, headers } = {}) => {
    const request: InjectOptions = { method, url, headers: { ...headers } };
    if (token !== null) request.headers = { authorization: `Bearer ${token}`, ...request.headers };
    if (body !== undefined) {
      request.payload = typeof body === 'string' ? body : JSON.stringify(body);
      request.headers = { 'content-type': 'application/json', ...request.headers };
    }
    return app.inject(request);
  };
  const submit: AppUnderTest['submit'] = async (spec) => {
    const answer = await call('POST', '/v1/jobs', { body: { spec } });
    if (answer.statusCode !== 201) throw new Error(answer.body);
    return answer.json();
  };
  return {
    ...database,
    ...{ app, admin, token, call, submit },
    close: async () => {
      await app.close();
      await database.close();
    },
  };
}

export const script = '#!/bin/sh\ntrue\n';
