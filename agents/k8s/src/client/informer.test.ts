import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type InformerOptions, startInformer } from './informer.ts';
import { type OpenedKubeClient, openKubeClient } from './kube-client.ts';
import { kubeconfigText, testFolder } from './testing/kubeconfig-file.ts';
import { startScriptedApi } from './testing/scripted-api.ts';
import { type Thing, thingSink } from './testing/thing-sink.ts';

const path = '/api/v1/pods';

const endings: (() => unknown)[] = [];
beforeEach(() => {
  // The jitter of the pauses between attempts: short ones.
  vi.spyOn(Math, 'random').mockReturnValue(0.01);
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const end of endings.splice(0).reverse()) await end();
});

async function world(options: Partial<InformerOptions<Thing>> = {}) {
  const folder = testFolder();
  const api = await startScriptedApi();
  const client: OpenedKubeClient = await openKubeClient({ kubeconfig: folder.file('config', kubeconfigText(api.url)) });
  const sink = thingSink();
  const warn = vi.fn();
  const informer = startInformer<Thing>({ client, path, sink, log: { info: () => {}, warn }, ...options });
  endings.push(
    folder.remove,
    () => api.close(),
    () => client.close(),
    () => informer.close(),
  );
  return { api, sink, informer, warn, next: () => api.take(`GET ${path}`) };
}

const thing = (name: string, version: number): Thing => ({ metadata: { name, resourceVersion: String(version) } });
const page = (version: number, names: readonly string[], token = '') => ({
  metadata: { resourceVersion: String(version), continue: token },
  items: names.map((name) => thing(name, version)),
});

/** Lists `names` at version 10 and opens the watch that follows. */
async function watching(names: readonly string[], options: Partial<InformerOptions<Thing>> = {}) {
  const here = await world(options);
  (await here.next()).json(200, page(10, names));
  const watch = await here.next();
  watch.open();
  return { ...here, watch };
}

describe('listing', () => {
  it('goes page by page and is complete with the last one', async () => {
    const { sink, informer, next } = await world({
      pageSize: 2,
      labelSelector: 'a=b',
      fieldSelector: 'spec.nodeName!=',
    });
    const first = await next();
    expect(Object.fromEntries(first.url.searchParams)).toEqual({
      limit: '2',
      labelSelector: 'a=b',
      fieldSelector: 'spec.nodeName!=',
    });
    first.json(200, page(10, ['a', 'b'], 'more'));
    const second = await next();
    expect(second.url.searchParams.get('continue')).toBe('more');
    expect(informer.isSynced()).toBe(false);
    second.json(200, page(10, ['c']));
    await informer.synced();
    expect(sink.names()).toEqual(['a', 'b', 'c']);
    const watch = await next();
    expect(Object.fromEntries(watch.url.searchParams)).toMatchObject({
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: '10',
      labelSelector: 'a=b',
      fieldSelector: 'spec.nodeName!=',
    });
    expect(Number(watch.url.searchParams.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300);
  });

  it('begins anew when its place is gone, and what was deleted meanwhile is gone', async () => {
    const { sink, informer, next } = await world({ pageSize: 2 });
    (await next()).json(200, page(10, ['a', 'b'], 'more'));
    (await next()).status(410, 'Expired', 'The provided continue parameter is too old');
    const again = await next();
    expect(again.url.searchParams.has('continue')).toBe(false);
    again.json(200, page(20, ['b']));
    await informer.synced();
    expect(sink.names()).toEqual(['b']);
    expect(sink.told.filter((word) => word === 'begin').length).toBe(2);
  });

  it('asks for a page again that failed, not for the whole list', async () => {
    const { sink, informer, next } = await world({ pageSize: 1 });
    (await next()).json(200, page(10, ['a'], 'more'));
    (await next()).status(500, 'InternalError', 'etcdserver: leader changed');
    const again = await next();
    expect(again.url.searchParams.get('continue')).toBe('more');
    again.json(200, page(10, ['b']));
    await informer.synced();
    expect(sink.told).toEqual(['begin', 'put a', 'put b', 'synced']);
  });

  it('does not believe a list older than what it saw, unless it stays so', async () => {
    const { sink, informer, next, watch } = await watching(['a']);
    await watch.event('ADDED', thing('b', 30));
    await watch.event('ERROR', { code: 410, message: 'too old resource version' });
    (await next()).json(200, page(20, ['a', 'old']));
    (await next()).json(200, page(31, ['a', 'b']));
    await informer.synced();
    expect(sink.names()).toEqual(['a', 'b']);
    expect(sink.told).not.toContain('put old');

    // A database restored from a backup really is older.
    informer.relist();
    for (let times = 0; times < 3; times += 1) {
      let answer = await next();
      if (answer.url.searchParams.has('watch')) answer = await next();
      answer.json(200, page(5, ['a']));
    }
    await informer.synced();
    expect(sink.names()).toEqual(['a']);
  });
});

describe('watching', () => {
  it('takes what comes, in order', async () => {
    const { sink, watch } = await watching(['a']);
    await watch.event('ADDED', thing('b', 11));
    await watch.event('MODIFIED', thing('a', 12));
    await watch.event('DELETED', thing('b', 13));
    await watch.event('FUTURE', thing('c', 14));
    await sink.until('remove b');
    expect(sink.told.slice(3)).toEqual(['put b', 'put a', 'remove b']);
  });

  it('goes on where it was when it is cut in the middle of an event, which comes again', async () => {
    const { sink, next, watch } = await watching(['a']);
    await watch.event('ADDED', thing('b', 11));
    await watch.raw(JSON.stringify({ type: 'DELETED', object: thing('a', 12) }).slice(0, 40));
    watch.cut();
    const second = await next();
    expect(second.url.searchParams.get('resourceVersion')).toBe('11');
    second.open();
    await second.event('DELETED', thing('a', 12));
    await sink.until('remove a');
    expect(sink.names()).toEqual(['b']);
    expect(sink.told.filter((word) => word === 'begin').length).toBe(1);
  });

  it('a whole object without its line end is half an event', async () => {
    const { sink, next, watch } = await watching(['a']);
    await watch.raw(JSON.stringify({ type: 'DELETED', object: thing('a', 12) }));
    watch.end();
    expect((await next()).url.searchParams.get('resourceVersion')).toBe('10');
    expect(sink.names()).toEqual(['a']);
  });

  it('lists again when the same event is cut again and again', async () => {
    const { next, watch } = await watching(['a']);
    let cut = watch;
    for (let times = 0; times < 3; times += 1) {
      await cut.raw('{"type":"MODI');
      cut.cut();
      cut = await next();
      if (times < 2) cut.open();
    }
    expect(cut.url.searchParams.has('watch')).toBe(false);
  });

  it('goes on from a bookmark', async () => {
    const { next, watch } = await watching(['a']);
    await watch.event('BOOKMARK', { metadata: { resourceVersion: '99' } });
    watch.end();
    expect((await next()).url.searchParams.get('resourceVersion')).toBe('99');
  });

  for (const [name, code] of [
    ['the past is gone', 410],
    ['the server gives up', 500],
  ] as const) {
    it(`lists again when an event says that ${name}; what went meanwhile goes`, async () => {
      const { sink, informer, next, watch } = await watching(['a', 'b']);
      await watch.event('ERROR', { kind: 'Status', code, message: 'too old resource version: 10 (50)' });
      const list = await next();
      expect(list.url.searchParams.has('watch')).toBe(false);
      expect(informer.isSynced()).toBe(true); // what the sink has is still the best there is
      list.json(200, page(50, ['b', 'c']));
      await informer.synced();
      expect(sink.names()).toEqual(['b', 'c']);
    });
  }

  it('lists again when opening it answers 410', async () => {
    const { next, watch } = await watching(['a']);
    watch.end();
    (await next()).status(410, 'Expired', 'too old');
    expect((await next()).url.searchParams.has('watch')).toBe(false);
  });

  it('opens it again, without a list, while the server is away', async () => {
    const { sink, next, watch, warn } = await watching(['a']);
    watch.cut();
    for (const code of [503, 504, 429, 401]) (await next()).status(code, '', 'not now');
    (await next()).cut();
    const again = await next();
    expect(again.url.searchParams.get('resourceVersion')).toBe('10');
    again.open();
    await again.event('DELETED', thing('a', 11));
    await sink.until('remove a');
    expect(warn.mock.calls.length).toBeGreaterThan(0);
    expect(warn.mock.calls.length).toBeLessThan(5); // said seldom
  });

  it('opens it again when nothing is heard', async () => {
    const { informer, next, watch } = await watching(['a'], { staleAfterMs: 150 });
    await watch.gone;
    expect(informer.silentMs()).toBeGreaterThan(100);
    const second = await next();
    second.open();
    expect(second.url.searchParams.get('resourceVersion')).toBe('10');
    await second.event('BOOKMARK', { metadata: { resourceVersion: '11' } });
    await vi.waitFor(() => expect(informer.silentMs()).toBeLessThan(100));
  });

  it('is not held up by an object that the sink cannot take', async () => {
    const { sink, watch, warn } = await watching(['a']);
    sink.fail('b');
    await watch.event('ADDED', thing('b', 11));
    await watch.event('ADDED', thing('c', 12));
    await sink.until('put c');
    expect(warn.mock.calls[0]?.[0]).toContain('cannot take b');
  });

  it('lists again when a line is no event', async () => {
    const { next, watch } = await watching(['a']);
    await watch.raw('Internal error\n');
    expect((await next()).url.searchParams.has('watch')).toBe(false);
  });
});

describe('asked from outside', () => {
  it('relist ends the watch and lists; synced waits for that list', async () => {
    const { sink, informer, next, watch } = await watching(['a']);
    await informer.synced();
    informer.relist();
    let done = false;
    const synced = informer.synced().then(() => (done = true));
    await watch.gone;
    const list = await next();
    expect(list.url.searchParams.has('watch')).toBe(false);
    expect(done).toBe(false);
    list.json(200, page(40, ['z']));
    await synced;
    expect(sink.names()).toEqual(['z']);
  });

  it('close ends everything and turns away who waits', async () => {
    const { informer, next } = await world();
    await next();
    const waiting = expect(informer.synced()).rejects.toThrow('closed');
    await informer.close();
    await waiting;
  });
});
