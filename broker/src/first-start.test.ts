import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectFakeAgent, type FakeAgent } from '../../test/support/fake-agent.ts';
import { type FreshDatabase, freshDatabase } from '../../test/support/postgres.ts';
import { createAdminToken } from './admin-token.ts';
import { type Broker, startBroker } from './broker.ts';
import { loadConfig } from './config.ts';
import { addCluster } from './db/add-cluster.ts';
import { tellHelloJob } from './first-start.ts';
import { newToken, tokenHash } from './token.ts';

let dir: string;
let database: FreshDatabase;
let broker: Broker;
let agent: FakeAgent;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-first-start-'));
  database = await freshDatabase();
  const env = { HOME: dir, DATABASE_URL: database.url, SWITCHYARD_HTTP_PORT: '0', SWITCHYARD_GRPC_PORT: '0' };
  const loaded = loadConfig(env);
  if (!loaded.ok) throw new Error(loaded.problems.join());
  broker = await startBroker(loaded.config, '0.0.0');
  const token = newToken('yc_');
  await addCluster(broker.db, { name: 'east', tokenHash: tokenHash(token), actor: 'test' });
  const port = Number(broker.grpcAddress.split(':')[1]);
  agent = connectFakeAgent({ port, token, cluster: 'east', automatic: true });
});
afterAll(async () => {
  agent.close();
  await broker.stop();
  await database.close();
  rmSync(dir, { recursive: true, force: true });
});

test('the hello job goes the whole way, and each step is told in one line', async () => {
  agent.wait('logRead').then(({ readId, offset }) =>
    agent.send({
      $case: 'logChunk',
      value: { readId, offset, data: Buffer.from('hello from n1\u001b[31m\n'), end: true, problem: '' },
    }),
  );
  const told: string[] = [];
  const token = await createAdminToken(broker.db, 'test');
  await tellHelloJob(broker, token, (line) => told.push(line), new AbortController().signal);
  expect(told[0]).toBe('submitted as job 1');
  expect(told).toContain('placed on east');
  expect(told.at(-2)).toMatch(/^succeeded after \d+\.\d s$/);
  expect(told.at(-1)).toBe('  hello from n1·[31m');
});

test('a port that is taken is named, and nothing stays behind', async () => {
  const env = { HOME: dir, DATABASE_URL: database.url, SWITCHYARD_GRPC_PORT: '0' };
  const taken = loadConfig({ ...env, SWITCHYARD_HTTP_PORT: new URL(broker.url).port });
  if (!taken.ok) throw new Error(taken.problems.join());
  await expect(startBroker(taken.config, '0.0.0')).rejects.toThrow(/in use by another program; choose another/);
});
