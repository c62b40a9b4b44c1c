import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type KubeClientOptions, openKubeClient } from './kube-client.ts';
import type { KubeRequest } from './kube-request.ts';
import { createAuthority, type Issued, issueBy } from './testing/issue-certificate.ts';
import { kubeconfigText, testFolder } from './testing/kubeconfig-file.ts';
import { type ScriptedApi, startScriptedApi } from './testing/scripted-api.ts';

const read: KubeRequest = { verb: 'GET', path: '/api', giveUpMs: 0 };

let folder: ReturnType<typeof testFolder>;
const endings: (() => unknown)[] = [];
beforeEach(() => {
  folder = testFolder();
  vi.spyOn(performance, 'now').mockImplementation(() => realNow() + aheadMs);
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const end of endings.splice(0).reverse()) await end();
  folder.remove();
});

async function startApi(tls?: Parameters<typeof startScriptedApi>[0]): Promise<ScriptedApi> {
  const api = await startScriptedApi(tls);
  endings.push(() => api.close());
  return api;
}

async function open(options: KubeClientOptions) {
  const client = await openKubeClient(options);
  endings.push(() => client.close());
  return client;
}

/** Files are looked at once per second: the clock is put forward instead of waiting. */
const realNow = performance.now.bind(performance);
let aheadMs = 0;
function aSecondPasses(): void {
  aheadMs += 1_001;
}

async function askedAs(api: ScriptedApi, asking: Promise<unknown>): Promise<string | undefined> {
  const exchange = await api.take('GET /api');
  exchange.json(200, {});
  await asking;
  return exchange.headers.authorization;
}

describe('a token', () => {
  it('is read again when the file behind the link is swapped, as kubelets do', async () => {
    const authority = { ...createAuthority('cluster-ca'), name: 'cluster-ca' };
    const api = await startApi(serverTls(authority));
    const volume = join(folder.path, 'serviceaccount');
    const put = (generation: string, token: string) => {
      const data = join(volume, generation);
      mkdirSync(data, { recursive: true });
      for (const [name, text] of [
        ['token', `${token}\n`],
        ['ca.crt', authority.cert],
        ['namespace', 'astro\n'],
      ] as const) {
        writeFileSync(join(data, name), text);
      }
      symlinkSync(generation, join(volume, '..data_tmp'));
      renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
    };
    put('one', 'first');
    for (const name of ['token', 'ca.crt', 'namespace']) symlinkSync(join('..data', name), join(volume, name));

    const { hostname, port } = new URL(api.url);
    const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    const client = await open({ serviceAccountFolder: volume, env });
    expect(client).toMatchObject({ namespace: 'astro', context: 'service account' });
    expect(await askedAs(api, client.request(read))).toBe('Bearer first');
    put('two', 'second');
    aSecondPasses();
    expect(await askedAs(api, client.request(read))).toBe('Bearer second');
    expect(api.connections()).toBe(1); // a token needs no new connection
  });

  it('that is refused is read again at once, and the request goes once more', async () => {
    const api = await startApi();
    const kubeconfig = folder.file('config', kubeconfigText(api.url, { tokenFile: 'token' }));
    folder.file('token', 'first');
    const client = await open({ kubeconfig });
    const asking = client.requestWithHistory(read);
    const refused = await api.take('GET /api');
    expect(refused.headers.authorization).toBe('Bearer first');
    folder.file('token', 'second');
    refused.status(401, 'Unauthorized', 'Unauthorized');
    expect(await askedAs(api, asking)).toBe('Bearer second');
    expect(await asking).toMatchObject({ unclearBefore: false });
  });

  it('that is refused twice is an error, and later ones do not ask for new credentials each time', async () => {
    const api = await startApi();
    const client = await open({ kubeconfig: folder.file('config', kubeconfigText(api.url)) });
    const first = expect(client.request({ ...read, giveUpMs: 20_000 })).rejects.toMatchObject({ kind: 'unauthorized' });
    (await api.take('GET /api')).status(401, 'Unauthorized', 'Unauthorized');
    (await api.take('GET /api')).status(401, 'Unauthorized', 'Unauthorized');
    await first;
    const second = expect(client.request(read)).rejects.toMatchObject({ kind: 'unauthorized' });
    (await api.take('GET /api')).status(401, 'Unauthorized', 'Unauthorized');
    await second;
    expect(api.seen.length).toBe(3);
  });

  it('of a kubeconfig that is half written stays in force until it is whole again', async () => {
    const api = await startApi();
    const kubeconfig = folder.file('config', kubeconfigText(api.url));
    const warn = vi.fn();
    const client = await open({ kubeconfig, log: { warn } });
    folder.file('config', '{"clusters": [');
    aSecondPasses();
    expect(await askedAs(api, client.request(read))).toBe('Bearer first');
    expect(warn).toHaveBeenCalledOnce();
    folder.file('config', kubeconfigText(api.url, { token: 'second' }));
    aSecondPasses();
    expect(await askedAs(api, client.request(read))).toBe('Bearer second');
  });
});

describe('a credential plug-in', () => {
  const plugin = (body: string) => `#!/bin/sh\n${body}\n`;
  const credential = (status: object) =>
    JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status });
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './plugin', provideClusterInfo: true };

  it('is run from beside the kubeconfig, told of the cluster, and again when its token ends', async () => {
    const api = await startApi();
    const endsSoon = credential({ token: 'first', expirationTimestamp: new Date(Date.now() + 10_000).toISOString() });
    const lasts = credential({ token: 'second', expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString() });
    folder.file('answer', endsSoon);
    folder.file(
      'plugin',
      plugin(`cd ${folder.path}; echo "$KUBERNETES_EXEC_INFO" > told; echo "$1$WHO" >> runs; cat answer`),
    );
    const user = { exec: { ...exec, args: ['get-token'], env: [{ name: 'WHO', value: '-me' }] } };
    const client = await open({ kubeconfig: folder.file('config', kubeconfigText(api.url, user)) });
    expect(await askedAs(api, client.request(read))).toBe('Bearer first');
    expect(JSON.parse(readFileSync(join(folder.path, 'told'), 'utf8'))).toMatchObject({
      apiVersion: exec.apiVersion,
      spec: { interactive: false, cluster: { server: api.url } },
    });
    folder.file('answer', lasts);
    aSecondPasses();
    expect(await askedAs(api, client.request(read))).toBe('Bearer second');
    aSecondPasses();
    expect(await askedAs(api, client.request(read))).toBe('Bearer second');
    expect(readFileSync(join(folder.path, 'runs'), 'utf8')).toBe('get-token-me\nget-token-me\n');
  });

  it('is run again when its token is refused', async () => {
    const api = await startApi();
    folder.file('answer', credential({ token: 'first' }));
    folder.file('plugin', plugin(`cat ${folder.path}/answer`));
    const client = await open({ kubeconfig: folder.file('config', kubeconfigText(api.url, { exec })) });
    const asking = client.request(read);
    const refused = await api.take('GET /api');
    folder.file('answer', credential({ token: 'second' }));
    refused.status(401, 'Unauthorized', 'Unauthorized');
    expect(await askedAs(api, asking)).toBe('Bearer second');
  });

  it('that fails is named with what it said, never with what it printed', async () => {
    const kubeconfig = folder.file(
      'config',
      kubeconfigText('https://127.0.0.1:1', { exec: { ...exec, installHint: 'Install it.' } }),
    );
    folder.file('plugin', plugin('echo secret; echo "please log in" >&2; exit 3'));
    const failure = (await openKubeClient({ kubeconfig }).catch((error: Error) => error)) as Error;
    expect(failure.message).toBe(`The credential plug-in ${folder.path}/plugin failed (3). please log in Install it.`);
    folder.file('plugin', plugin('echo "secret but no JSON"'));
    await expect(openKubeClient({ kubeconfig })).rejects.toThrow(/plugin printed no credential\.$/);
  });
});

function serverTls(authority: Issued & { name: string }) {
  const server = issueBy(authority, 'kube-apiserver');
  return { cert: server.cert, key: server.key, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
}

describe('certificates', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it('prove the server and the client, from files or from data, and new files make new connections', async () => {
    const authority = { ...createAuthority('cluster-ca'), name: 'cluster-ca' };
    const api = await startApi(serverTls(authority));
    const write = (subject: string) => {
      const client = issueBy(authority, subject);
      folder.file('client.crt', client.cert);
      folder.file('client.key', client.key);
    };
    write('agent-one');
    folder.file('ca.crt', authority.cert);
    const user = { 'client-certificate': 'client.crt', 'client-key': 'client.key' };
    const text = kubeconfigText(api.url, user, { 'certificate-authority': 'ca.crt' });
    const client = await open({ kubeconfig: folder.file('config', text) });
    const whoAsked = async () => {
      const asking = client.request(read);
      const exchange = await api.take('GET /api');
      exchange.json(200, {});
      await asking;
      const socket = exchange.request.socket as TLSSocket;
      expect(socket.authorized).toBe(true);
      return socket.getPeerCertificate().subject.CN;
    };
    expect(await whoAsked()).toBe('agent-one');
    expect(await whoAsked()).toBe('agent-one');
    expect(api.connections()).toBe(1);
    write('agent-two');
    aSecondPasses();
    expect(await whoAsked()).toBe('agent-two');
    expect(api.connections()).toBe(2);

    const inline = issueBy(authority, 'agent-three');
    const data = { 'client-certificate-data': base64(inline.cert), 'client-key-data': base64(inline.key) };
    folder.file('config', kubeconfigText(api.url, data, { 'certificate-authority-data': base64(authority.cert) }));
    aSecondPasses();
    expect(await whoAsked()).toBe('agent-three');
  });

  it('of another authority are refused before anything is sent; a rotated authority is read again', async () => {
    const authority = { ...createAuthority('new-ca'), name: 'new-ca' };
    const api = await startApi(serverTls(authority));
    folder.file('ca.crt', createAuthority('old-ca').cert);
    const text = kubeconfigText(api.url, { token: 'first' }, { 'certificate-authority': 'ca.crt' });
    const client = await open({ kubeconfig: folder.file('config', text) });
    await expect(client.request({ verb: 'POST', path: '/api', body: {}, giveUpMs: 0 })).rejects.toMatchObject({
      kind: 'unreachable',
      unclear: false,
    });
    expect(api.seen).toEqual([]);
    folder.file('ca.crt', authority.cert);
    aSecondPasses();
    expect(await askedAs(api, client.request(read))).toBe('Bearer first');
  });
});

describe('a configuration that leads nowhere says what is missing', () => {
  const cases: readonly [string, (file: (text: string) => string) => KubeClientOptions, RegExp][] = [
    ['no file', () => ({ kubeconfig: '/nowhere/config' }), /No kubeconfig: there is no \/nowhere\/config\./],
    [
      'no such context',
      (file) => ({ kubeconfig: file(kubeconfigText('https://h')), context: 'there' }),
      /has no context "there"/,
    ],
    ['no YAML', (file) => ({ kubeconfig: file('7') }), /is no kubeconfig/],
    [
      'a token over plain http',
      (file) => ({ kubeconfig: file(kubeconfigText('http://api.example')) }),
      /not encrypted/,
    ],
    [
      'a SOCKS proxy',
      (file) => ({ kubeconfig: file(kubeconfigText('https://h', {}, { 'proxy-url': 'socks5://p:1' })) }),
      /only HTTP proxies/,
    ],
  ];
  for (const [name, options, sentence] of cases) {
    it(name, async () => {
      const asked = options((text) => folder.file('config', text));
      await expect(openKubeClient(asked)).rejects.toThrow(sentence);
    });
  }

  it('several files of $KUBECONFIG are read as one, the first to name something wins', async () => {
    const api = await startApi();
    const first = folder.file(
      'first',
      JSON.stringify({ 'current-context': 'here', users: [{ name: 'user', user: { token: 'mine' } }] }),
    );
    const second = folder.file('second', kubeconfigText(api.url));
    const client = await open({ env: { KUBECONFIG: `${first}:${folder.path}/absent:${second}` } });
    expect(await askedAs(api, client.request(read))).toBe('Bearer mine');
  });

  it('an old auth-provider gives the token it has, or is named', async () => {
    const api = await startApi();
    const provider = (config: object) => ({ 'auth-provider': { name: 'oidc', config } });
    const withToken = folder.file('config', kubeconfigText(api.url, provider({ 'id-token': 'given' })));
    const client = await open({ kubeconfig: withToken });
    expect(await askedAs(api, client.request(read))).toBe('Bearer given');
    const without = folder.file('empty', kubeconfigText(api.url, provider({})));
    await expect(openKubeClient({ kubeconfig: without })).rejects.toThrow('auth-provider oidc holds no token');
  });

  it('impersonation is passed on', async () => {
    const api = await startApi();
    const user = { token: 't', as: 'jane', 'as-groups': ['dev', 'ops'] };
    const client = await open({ kubeconfig: folder.file('config', kubeconfigText(api.url, user)) });
    const asking = client.request(read);
    const exchange = await api.take('GET /api');
    exchange.json(200, {});
    await asking;
    expect(exchange.headers['impersonate-user']).toBe('jane');
    expect(exchange.request.headersDistinct['impersonate-group']).toEqual(['dev', 'ops']);
  });
});
