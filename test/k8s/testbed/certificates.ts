import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../../slurm/run-program.ts';

export type Certificates = {
  /** The authority that signed the API server's certificate. */
  readonly caFile: string;
  readonly serverCertificate: string;
  readonly serverKey: string;
  /** Signs and checks the tokens of service accounts. */
  readonly serviceAccountKey: string;
};

/** An authority, a certificate of the API server, also valid for a proxy on the loopback, and the key of the service accounts. */
export async function makeCertificates(dir: string, address: string): Promise<Certificates> {
  const file = (name: string) => join(dir, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650'];
  const names = [
    `IP:${address}`,
    'IP:127.0.0.1',
    'DNS:localhost',
    'DNS:kubernetes',
    'DNS:kubernetes.default',
    'DNS:kubernetes.default.svc',
  ];
  await openssl([
    'req',
    '-x509',
    ...newKey,
    '-subj',
    '/CN=testbed-ca',
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.crt'),
  ]);
  await openssl([
    'req',
    ...newKey.slice(0, -2),
    '-subj',
    '/CN=kube-apiserver',
    '-keyout',
    file('server.key'),
    '-out',
    file('server.csr'),
  ]);
  writeFileSync(file('server.ext'), `subjectAltName=${names.join(',')}\nextendedKeyUsage=serverAuth\n`);
  await openssl([
    ...['x509', '-req', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial'],
    ...['-days', '3650', '-extfile', file('server.ext'), '-out', file('server.crt')],
  ]);
  await openssl(['genrsa', '-out', file('service-accounts.key'), '2048']);
  return {
    caFile: file('ca.crt'),
    serverCertificate: file('server.crt'),
    serverKey: file('server.key'),
    serviceAccountKey: file('service-accounts.key'),
  };
}

/** A kubeconfig for one bearer token; JSON is YAML, and every client reads it. */
export function writeKubeconfig(
  path: string,
  access: { server: string; token: string; namespace?: string; caFile?: string },
): string {
  const cluster = {
    server: access.server,
    ...(access.caFile === undefined
      ? { 'insecure-skip-tls-verify': true }
      : { 'certificate-authority-data': readFileSync(access.caFile).toString('base64') }),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'testbed',
    clusters: [{ name: 'testbed', cluster }],
    users: [{ name: 'testbed', user: { token: access.token } }],
    contexts: [
      { name: 'testbed', context: { cluster: 'testbed', user: 'testbed', namespace: access.namespace ?? 'default' } },
    ],
  };
  writeFileSync(path, JSON.stringify(config, null, 1), { mode: 0o600 });
  return path;
}

async function openssl(args: readonly string[]): Promise<void> {
  const ran = await runProgram(['openssl', ...args]);
  if (ran.code !== 0) throw new Error(`openssl ${args[0]} ended with ${ran.code}: ${ran.stderr}`);
}
