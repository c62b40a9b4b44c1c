import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type KubeClientOptions, type OpenedKubeClient, openKubeClient } from './kube-client.ts';
import type { KubeRequest } from './kube-request.ts';
import { kubeconfigText, testFolder } from './testing/kubeconfig-file.ts';
import { type Exchange, type ScriptedApi, startScriptedApi } from './testing/scripted-api.ts';

const jobs = '/apis/batch/v1/namespaces/x/jobs';
const create: KubeRequest = { verb: 'POST', path: jobs, body: { metadata: { name: 'yd1234-a' } } };
const read: KubeRequest = { verb: 'GET', path: `${jobs}/a` };

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function world(options: KubeClientOptions = {}): Promise<{ api: ScriptedApi; client: OpenedKubeClient }> {
  const api = await startScriptedApi();
  endings.push(() => api.close());
  return { api, client: await clientOf(api.url, options) };
}

async function clientOf(server: string, options: KubeClientOptions = {}): Promise<OpenedKubeClient> {
  const folder = testFolder();
  const client = await openKubeClient({ kubeconfig: folder.file('config', kubeconfigText(server)), ...options });
  endings.push(folder.remove, () => client.close());
  return client;
}

describe('an answer', () => {
  it('is parsed, with query, body and who asks on the way', async () => {
    const { api, client } = await world();
    const answer = client.request({ ...create, query: { fieldManager: 'a b' } });
    const exchange = await api.take(`POST ${jobs}`);
    expect(exchange.url.searchParams.get('fieldManager')).toBe('a b');
    expect(exchange.body).toEqual(create.body);
    expect(exchange.headers['content-type']).toBe('application/json');
    expect(exchange.headers.authorization).toBe('Bearer first');
    exchange.json(201, { metadata: { uid: 'u' } });
    expect(await answer).toEqual({ metadata: { uid: 'u' } });
    expect(client).toMatchObject({ server: `${api.url}/`, context: 'here', namespace: 'astro' });
    expect(client.requestCounts()).toEqual({ POST: 1 });
  });

  it('of a patch is asked for as a merge unless said otherwise', async () => {
    const { api, client } = await world();
    const patched = client.request({ verb: 'PATCH', path: `${jobs}/a`, body: { metadata: {} } });
    const exchange = await api.take(`PATCH ${jobs}/a`);
    expect(exchange.headers['content-type']).toBe('application/merge-patch+json');
    exchange.json(200, {});
    await patched;
  });

  it('keeps its connection for the next request', async () => {
    const { api, client } = await world();
    for (let index = 0; index < 5; index += 1) {
      const answer = client.request(read);
      (await api.take(`GET ${jobs}/a`)).json(200, {});
      await answer;
    }
    expect(api.connections()).toBe(1);
  });

  it('that is a page of some gateway is none', async () => {
    const { api, client } = await world();
    const answer = client.request({ ...create, giveUpMs: 0 });
    const exchange = await api.take(`POST ${jobs}`);
    exchange.open();
    await exchange.raw('<html>Log in first</html>');
    exchange.end();
    await expect(answer).rejects.toMatchObject({ kind: 'server_error', unclear: true });
  });
});

describe('whether a create may have been carried out', () => {
  const breaks: readonly [string, (exchange: Exchange) => unknown, object][] = [
    ['a reset before the answer', (exchange) => exchange.cut(), { kind: 'unreachable', unclear: true }],
    [
      'an answer that breaks off',
      async (exchange) => {
        exchange.open();
        await exchange.raw('{"metadata":');
        exchange.cut();
      },
      { kind: 'unreachable', unclear: true },
    ],
    ['500', (exchange) => exchange.status(500, 'InternalError', 'etcd'), { kind: 'server_error', unclear: true }],
    ['502', (exchange) => exchange.status(502, '', ''), { kind: 'server_error', unclear: true }],
    ['503', (exchange) => exchange.status(503, '', ''), { kind: 'server_error', unclear: true }],
    ['504', (exchange) => exchange.status(504, 'Timeout', 'too long'), { kind: 'server_error', unclear: true }],
    ['429', (exchange) => exchange.status(429, '', 'later'), { kind: 'too_many_requests', unclear: false }],
    ['409', (exchange) => exchange.status(409, 'AlreadyExists', 'is'), { kind: 'already_exists', unclear: false }],
  ];
  for (const [name, act, expected] of breaks) {
    it(`${name}: ${JSON.stringify(expected)}`, async () => {
      const { api, client } = await world();
      const answer = expect(client.request({ ...create, giveUpMs: 0 })).rejects.toMatchObject(expected);
      await act(await api.take(`POST ${jobs}`));
      await answer;
      expect(api.seen.length).toBe(1);
    });
  }

  it('silence: yes; silence to a question: nothing to carry out', async () => {
    const { api, client } = await world();
    const quick = { giveUpMs: 0, timeoutMs: 100 };
    const silent = expect(client.request({ ...create, ...quick })).rejects.toMatchObject({
      kind: 'timeout',
      unclear: true,
    });
    await api.take(`POST ${jobs}`);
    await silent;
    const question = expect(client.request({ ...read, ...quick })).rejects.toMatchObject({
      kind: 'timeout',
      unclear: false,
    });
    await api.take(`GET ${jobs}/a`);
    await question;
  });

  it('silence in the middle of the answer: yes', async () => {
    const { api, client } = await world();
    const late = client.request({ ...create, giveUpMs: 0, timeoutMs: 200 });
    const refused = expect(late).rejects.toMatchObject({ kind: 'timeout', unclear: true });
    const exchange = await api.take(`POST ${jobs}`);
    exchange.open();
    await exchange.raw('{');
    await refused;
    await exchange.gone;
  });

  it('a refused connection: no', async () => {
    const api = await startScriptedApi();
    await api.close();
    const client = await clientOf(api.url);
    await expect(client.request({ ...create, giveUpMs: 0 })).rejects.toMatchObject({
      kind: 'unreachable',
      unclear: false,
      retryable: true,
    });
  });

  it('a TLS handshake that never succeeds: no', async () => {
    const deaf = createServer((socket) => socket.end('220 mail.example ESMTP\r\n'));
    await new Promise<void>((listening) => deaf.listen(0, '127.0.0.1', listening));
    endings.push(() => deaf.close());
    const client = await clientOf(`https://127.0.0.1:${(deaf.address() as { port: number }).port}`);
    await expect(client.request({ ...create, giveUpMs: 0 })).rejects.toMatchObject({
      kind: 'unreachable',
      unclear: false,
    });
  });

  it('a caller who stops waiting: yes when it was sent', async () => {
    const { api, client } = await world();
    const stop = new AbortController();
    const answer = expect(client.request({ ...create, signal: stop.signal })).rejects.toMatchObject({ unclear: true });
    await api.take(`POST ${jobs}`);
    stop.abort();
    await answer;
    await expect(client.request({ ...create, signal: stop.signal })).rejects.toMatchObject({ unclear: false });
    expect(api.seen.length).toBe(1);
  });
});

describe('trying again', () => {
  it('says that an earlier attempt may have been carried out', async () => {
    const { api, client } = await world();
    const answer = client.requestWithHistory(create);
    (await api.take(`POST ${jobs}`)).cut();
    (await api.take(`POST ${jobs}`)).json(201, { metadata: { uid: 'second' } });
    expect(await answer).toEqual({ value: { metadata: { uid: 'second' } }, unclearBefore: true });
  });

  it('says nothing of the kind after refusals', async () => {
    const { api, client } = await world();
    const answer = client.requestWithHistory(create);
    (await api.take(`POST ${jobs}`)).status(429, '', 'later', { 'retry-after': '0' });
    (await api.take(`POST ${jobs}`)).json(201, {});
    expect(await answer).toEqual({ value: {}, unclearBefore: false });
  });

  it('keeps the doubt of the first attempt through every later error', async () => {
    const { api, client } = await world();
    for (const [code, reason, kind] of [
      [409, 'AlreadyExists', 'already_exists'],
      [422, 'Invalid', 'invalid'],
    ] as const) {
      const answer = expect(client.request(create)).rejects.toMatchObject({ kind, unclear: true });
      (await api.take(`POST ${jobs}`)).status(504, 'Timeout', 'too long');
      (await api.take(`POST ${jobs}`)).status(code, reason, 'no');
      await answer;
    }
  });

  it('is left when a repeat could do harm', async () => {
    const { api, client } = await world();
    const byName = expect(client.request({ verb: 'DELETE', path: `${jobs}/a` })).rejects.toMatchObject({
      unclear: true,
    });
    (await api.take(`DELETE ${jobs}/a`)).cut();
    await byName;
    expect(api.seen.length).toBe(1);
  });

  it('waits as long as Retry-After says, and so does everybody else', async () => {
    const { api, client } = await world({ concurrency: 1 });
    const answer = client.request(create);
    const other = client.request(read);
    (await api.take(`POST ${jobs}`)).status(429, '', 'later', { 'retry-after': '1' });
    const refusedAtMs = performance.now();
    (await api.take(`GET ${jobs}/a`)).json(200, {});
    await other;
    expect(performance.now() - refusedAtMs).toBeGreaterThan(950);
    (await api.take(`POST ${jobs}`)).json(201, {});
    await answer;
  });

  it('ends when its time is up', async () => {
    const { api, client } = await world();
    const ended = client.request({ ...create, giveUpMs: 400 }).catch((error: unknown) => error);
    for (;;) {
      const next = await Promise.race([api.take(`POST ${jobs}`), ended]);
      if (next instanceof Error) {
        expect(next).toMatchObject({ status: 503, unclear: true });
        break;
      }
      (next as Exchange).status(503, '', 'not now');
    }
    expect(api.seen.length).toBeGreaterThan(1);
  });
});

describe('403', () => {
  it('counts when it comes again after the server said that it is ready', async () => {
    const { api, client } = await world();
    const refused = expect(client.request(create)).rejects.toMatchObject({
      kind: 'forbidden',
      retryable: false,
      unclear: false,
    });
    (await api.take(`POST ${jobs}`)).status(403, 'Forbidden', 'no');
    (await api.take('GET /readyz')).json(200, 'ok');
    (await api.take(`POST ${jobs}`)).status(403, 'Forbidden', 'exceeded quota');
    await refused;
  });

  it('of a server that is starting is tried again', async () => {
    const { api, client } = await world();
    const answer = client.requestWithHistory(create);
    (await api.take(`POST ${jobs}`)).status(403, 'Forbidden', 'no');
    (await api.take('GET /readyz')).status(500, '', '[-]poststarthook/rbac/bootstrap-roles failed');
    (await api.take(`POST ${jobs}`)).status(403, 'Forbidden', 'no');
    (await api.take('GET /readyz')).json(200, 'ok');
    (await api.take(`POST ${jobs}`)).json(201, {});
    expect(await answer).toEqual({ value: {}, unclearBefore: false });
  });

  it('of a server that is starting is no refusal, even for who asks only once', async () => {
    const { api, client } = await world();
    const answer = expect(client.request({ ...create, giveUpMs: 0 })).rejects.toMatchObject({
      kind: 'server_error',
      retryable: true,
      unclear: false,
    });
    (await api.take(`POST ${jobs}`)).status(403, 'Forbidden', 'no');
    (await api.take('GET /readyz')).cut();
    await answer;
  });

  it('of a server that does not say whether it is ready counts when it stays', async () => {
    const { api, client } = await world();
    const refused = expect(client.request(create)).rejects.toMatchObject({ kind: 'forbidden' });
    (await api.take(`POST ${jobs}`)).status(403, 'Forbidden', 'no');
    (await api.take('GET /readyz')).status(403, 'Forbidden', 'no');
    (await api.take(`POST ${jobs}`)).status(403, 'Forbidden', 'no');
    await refused;
  });
});

describe('a stream', () => {
  it('comes as it is sent, takes no place, and says when it was cut', async () => {
    const { api, client } = await world({ concurrency: 1 });
    const opening = client.stream({ verb: 'GET', path: '/log' });
    const log = await api.take('GET /log');
    log.open();
    const stream = await opening;
    const answer = client.request(read);
    (await api.take(`GET ${jobs}/a`)).json(200, {});
    await answer;

    const chunks = stream[Symbol.asyncIterator]();
    const first = chunks.next();
    await log.raw('line 1\n');
    expect((await first).value.toString()).toBe('line 1\n');
    const second = expect(chunks.next()).rejects.toMatchObject({ kind: 'unreachable' });
    log.cut();
    await second;
  });

  it('ends quietly when it is closed on this side', async () => {
    const { api, client } = await world();
    const opening = client.stream({ verb: 'GET', path: '/log' });
    const log = await api.take('GET /log');
    log.open();
    const stream = await opening;
    const first = stream[Symbol.asyncIterator]().next();
    stream.close();
    expect(await first).toEqual({ done: true, value: undefined });
    await log.gone;
  });

  it('outlives the time limit of a request', async () => {
    const { api, client } = await world({ requestTimeoutMs: 100 });
    const opening = client.stream({ verb: 'GET', path: '/log' });
    const log = await api.take('GET /log');
    log.open();
    const chunks = (await opening)[Symbol.asyncIterator]();
    // Another request times out meanwhile: the limit has certainly passed.
    const slow = expect(client.request({ ...read, giveUpMs: 0 })).rejects.toMatchObject({ kind: 'timeout' });
    await slow;
    const next = chunks.next();
    await log.raw('still here');
    expect((await next).value.toString()).toBe('still here');
  });

  it('that cannot be opened is an error like any other', async () => {
    const { api, client } = await world();
    const opening = expect(client.stream({ verb: 'GET', path: '/log' })).rejects.toMatchObject({ kind: 'not_found' });
    (await api.take('GET /log')).status(404, 'NotFound', 'pods "a" not found');
    await opening;
  });
});

it('close ends what is under way and what waits', async () => {
  const { api, client } = await world({ concurrency: 1 });
  const first = expect(client.request(read)).rejects.toMatchObject({ name: 'KubeError' });
  const second = expect(client.request(read)).rejects.toMatchObject({ name: 'KubeError', unclear: false });
  await api.take(`GET ${jobs}/a`);
  await client.close();
  await Promise.all([first, second]);
});
