import { setTimeout as pause } from 'node:timers/promises';
import type { KubeClient } from './kube-client.ts';
import { KubeError } from './kube-error.ts';
import { listPages } from './list-pages.ts';
import { isOlder } from './resource-version.ts';
import { backoffMs } from './retry.ts';
import { type WatchEvent, watchOnce } from './watch-once.ts';

/** What follows one kind of object. The informer keeps nothing: what is remembered, the sink remembers. */
export type Sink<T> = {
  /** A list begins: mark what is there. Comes again without `synced` between when the list had to begin anew. */
  begin(): void;
  put(object: T): void;
  remove(object: T): void;
  /** The list is complete: what was not put since `begin` is gone. */
  synced(): void;
};

/** What one list and watch brings, for two that remember different things of it. */
export function bothSinks<T>(one: Sink<T>, other: Sink<T>): Sink<T> {
  return {
    begin: () => {
      one.begin();
      other.begin();
    },
    put: (object) => {
      one.put(object);
      other.put(object);
    },
    remove: (object) => {
      one.remove(object);
      other.remove(object);
    },
    synced: () => {
      one.synced();
      other.synced();
    },
  };
}

export type InformerOptions<T> = {
  readonly client: KubeClient;
  /** Of the collection: `/apis/batch/v1/namespaces/x/jobs`. */
  readonly path: string;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly pageSize?: number | undefined;
  readonly sink: Sink<T>;
  readonly log: { info(sentence: string): void; warn(sentence: string): void };
  /** A watch without a byte for so long is opened again; servers send a bookmark every minute or so, or nothing. */
  readonly staleAfterMs?: number | undefined;
};

export type Informer = {
  readonly path: string;
  /** Resolves when no list is outstanding: the first, or the one that `relist` asked for. Rejects after `close`. */
  synced(): Promise<void>;
  /** Whether the first list has been complete; stays so while a later one is under way. */
  isSynced(): boolean;
  /** Since the server was last heard: an answer or a byte of the watch. */
  silentMs(): number;
  /** The server answers, and its last answer was that this may not be seen or is not there. */
  isRefused(): boolean;
  /** Lists everything again, from now. */
  relist(): void;
  close(): Promise<void>;
};

const STALE_AFTER_MS = 30_000;
/** Watches cut inside their first event so often in a row: that event may never come through, the list brings it. */
const HALF_EVENTS_BEFORE_LIST = 3;
/** A list older than what was seen comes from a stale copy of the database; after so many it is taken for the truth. */
const OLD_LISTS_BEFORE_BELIEF = 3;

/** Lists, then watches, for ever: every change reaches the sink, in order, at least as the state it led to. */
export function startInformer<T>(options: InformerOptions<T>): Informer {
  const { client, path, sink, log } = options;
  const query = {
    ...(options.labelSelector ? { labelSelector: options.labelSelector } : {}),
    ...(options.fieldSelector ? { fieldSelector: options.fieldSelector } : {}),
  };
  const closing = new AbortController();
  let interrupt = new AbortController();
  let everSynced = false;
  let listWanted = true;
  let listUnderWay = false;
  let version = '';
  let heardAtMs = performance.now();
  let waiters: PromiseWithResolvers<void>[] = [];

  let refused = false;
  const heard = () => {
    refused = false;
    heardAtMs = performance.now();
  };
  /** One object that a sink cannot take must not stop all others. */
  const tell = (what: keyof Sink<T>, act: () => void) => {
    try {
      act();
    } catch (error) {
      log.warn(`${path}: ${what} of an object failed: ${(error as Error).stack ?? error}`);
    }
  };
  const take = ({ type, object }: WatchEvent<T>) =>
    type === 'DELETED' ? tell('remove', () => sink.remove(object)) : tell('put', () => sink.put(object));

  let oldLists = 0;
  const list = async (signal: AbortSignal) => {
    listWanted = false;
    listUnderWay = true;
    tell('begin', () => sink.begin());
    let judged = false;
    const judge = (listVersion: string) => {
      if (judged) return;
      judged = true;
      if (!isOlder(listVersion, version) || ++oldLists >= OLD_LISTS_BEFORE_BELIEF) return;
      throw new StaleList(`${path}: a list of version ${listVersion} after ${version} was seen; asking again.`);
    };
    const listing = { path, query, pageSize: options.pageSize ?? 500, signal, heard, version: judge };
    const listed = await listPages<T>(client, listing, (object) => tell('put', () => sink.put(object)));
    judge(listed);
    oldLists = 0;
    version = listed;
    tell('synced', () => sink.synced());
    everSynced = true;
    listUnderWay = false;
    if (listWanted) return;
    for (const waiter of waiters) waiter.resolve();
    waiters = [];
  };

  let halfEvents = 0;
  /** Returns whether anything came. */
  const watch = async (signal: AbortSignal) => {
    const end = await watchOnce<T>(client, {
      path,
      query,
      resourceVersion: version,
      staleAfterMs: options.staleAfterMs ?? STALE_AFTER_MS,
      signal,
      heard,
      event: take,
      version: (seen) => {
        version = seen;
      },
    });
    halfEvents = end.halfEvent && end.lines === 0 ? halfEvents + 1 : 0;
    if (end.error || halfEvents >= HALF_EVENTS_BEFORE_LIST) listWanted = true;
    if (end.error) throw end.error;
    return end.lines > 0;
  };

  const run = async () => {
    let failures = 0;
    while (!closing.signal.aborted) {
      interrupt = new AbortController();
      const signal = AbortSignal.any([closing.signal, interrupt.signal]);
      const listing = listWanted;
      const startedAtMs = performance.now();
      try {
        const came = listing ? await list(signal).then(() => true) : await watch(signal);
        if (interrupt.signal.aborted) continue;
        // A watch that ended at once without a word is a failure too: the next one waits.
        const fruitful = came || performance.now() - startedAtMs > 1_000;
        if (fruitful && failures > 0) log.info(`${path}: the API server answers again.`);
        failures = fruitful ? 0 : failures + 1;
      } catch (error) {
        if (closing.signal.aborted) break;
        refused = error instanceof KubeError && (error.kind === 'forbidden' || error.kind === 'not_found');
        if (listing || mustList(error)) listWanted = true;
        // relist() interrupts on purpose.
        if (interrupt.signal.aborted) continue;
        if (isRare(failures)) log.warn(`${path}: ${(error as Error).message}`);
        failures += 1;
      }
      if (failures > 0) await pause(backoffMs(failures), undefined, { signal }).catch(() => {});
    }
  };

  const running = run();
  return {
    isSynced: () => everSynced,
    synced: () => {
      if (!listWanted && !listUnderWay) return Promise.resolve();
      const waiter = Promise.withResolvers<void>();
      waiter.promise.catch(() => {});
      waiters.push(waiter);
      return waiter.promise;
    },
    path,
    silentMs: () => performance.now() - heardAtMs,
    isRefused: () => refused,
    relist: () => {
      listWanted = true;
      interrupt.abort(new Error('A new list is asked for.'));
    },
    close: async () => {
      closing.abort(new Error('The informer is closed.'));
      await running;
      for (const waiter of waiters) waiter.reject(new Error(`${path}: the informer is closed.`));
      waiters = [];
    },
  };
}

class StaleList extends Error {}

/** `gone`, and a stream that is no watch; a watch that could not be opened is opened again where the last one ended. */
function mustList(error: unknown): boolean {
  if (error instanceof KubeError) return error.kind === 'gone';
  return !(error instanceof StaleList);
}

/** Said at the 1st, 2nd, 4th, 8th… failure in a row. */
function isRare(failures: number): boolean {
  return Number.isInteger(Math.log2(failures + 1));
}
