import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AgentConfig } from '../agent-config.ts';
import { checkBroker } from './check-broker.ts';

let dir: string;
const servers: Server[] = [];
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-tls-'));
});
afterAll(() => {
  for (const server of servers) server.forceShutdown();
  rmSync(dir, { recursive: true, force: true });
});

/** A server at 127.0.0.1 whose certificate, signed by itself, is valid for `names` alone. */
async function serverFor(names: string): Promise<{ port: number; caFile: string }> {
  const [caFile, keyFile] = [join(dir, `${servers.length}.crt`), join(dir, `${servers.length}.key`)];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=any'];
  const argv = ['req', '-x509', ...key, '-addext', `subjectAltName=${names}`, '-keyout', keyFile, '-out', caFile];
  execFileSync('openssl', argv, { stdio: 'ignore' });
  const server = new Server();
  servers.push(server);
  const pair = { cert_chain: readFileSync(caFile), private_key: readFileSync(keyFile) };
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createSsl(null, [pair]), (error, at) =>
      error ? reject(error) : resolve(at),
    ),
  );
  return { port, caFile };
}

test('a broker that is named by its address proves that it has it', async () => {
  const { port, caFile } = await serverFor('IP:127.0.0.1');
  const config = { broker: `127.0.0.1:${port}`, tls: { caFile } } as AgentConfig;
  await expect(checkBroker(config)).resolves.toContain('answers by TLS');
});

test('nobody else is believed, at the same address', async () => {
  const { port, caFile } = await serverFor('IP:127.0.0.2,DNS:broker.invalid');
  const config = { broker: `127.0.0.1:${port}`, tls: { caFile } } as AgentConfig;
  await expect(checkBroker(config)).rejects.toThrow('does not answer');
});

test('the check expects the name that the agent expects', async () => {
  const { port, caFile } = await serverFor('DNS:broker.example.org');
  const tls = { caFile, serverName: 'broker.example.org' };
  const config = { broker: `127.0.0.1:${port}`, tls } as AgentConfig;
  await expect(checkBroker(config)).resolves.toContain('answers by TLS');
});
