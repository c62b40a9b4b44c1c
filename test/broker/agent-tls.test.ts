import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { createAuthority, issueBy } from '@switchyard/agent-k8s/client/testing/issue-certificate.ts';
import type { AgentConfig } from '@switchyard/agent-runtime/agent-config.ts';
import { checkBroker } from '@switchyard/agent-runtime/broker-link/check-broker.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';

let dir: string;
let caFile: string;
let server: Server;
let port: number;

/** A broker that listens everywhere and can prove that it is 127.0.0.1. */
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-tls-'));
  const authority = { ...createAuthority('site'), name: 'site' };
  caFile = join(dir, 'ca.pem');
  writeFileSync(caFile, authority.cert);
  const { cert, key } = issueBy(authority, 'broker');
  const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
  server = new Server();
  port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('0.0.0.0:0', ServerCredentials.createSsl(null, [pair]), (error, at) =>
      error ? reject(error) : resolve(at),
    ),
  );
});
afterAll(() => {
  server.forceShutdown();
  rmSync(dir, { recursive: true, force: true });
});

const ask = (host: string, tls: AgentConfig['tls'] = { caFile }) =>
  checkBroker({ broker: `${host}:${port}`, tls } as AgentConfig);

test.concurrent('a broker that is named by its address proves that it has it', async () => {
  await expect(ask('127.0.0.1')).resolves.toContain('answers by TLS');
});

test.concurrent('at another address the same broker is not believed', async () => {
  await expect(ask('127.0.0.2')).rejects.toThrow('does not answer');
});

test.concurrent('nor by a name that was asked for and that it cannot prove, which the check asks for like the agent', async () => {
  await expect(ask('127.0.0.1', { caFile, serverName: 'broker.example.org' })).rejects.toThrow('does not answer');
});

test.concurrent('nor by an authority that is not the one', async () => {
  const other = join(dir, 'other.pem');
  writeFileSync(other, createAuthority('other').cert);
  await expect(ask('127.0.0.1', { caFile: other })).rejects.toThrow('does not answer');
});
