import { eventError } from './answer-error.ts';
import type { KubeClient } from './kube-client.ts';
import type { KubeError } from './kube-error.ts';
import { createLineSplitter } from './watch-lines.ts';

export type WatchEvent<T> = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T };

export type WatchEnd = {
  /** Whole lines that arrived, bookmarks among them. */
  readonly lines: number;
  /** It broke off inside an event, which is dropped: the watch that follows brings it again. */
  readonly halfEvent: boolean;
  /** The server ended it with an event of type ERROR: what it knows no longer joins what we know. */
  readonly error: KubeError | undefined;
};

type Versioned = { readonly metadata?: { readonly resourceVersion?: string } };

/** A watch ends by itself after five to ten minutes, so that a server that restarts gets its watches back spread out. */
const SHORTEST_WATCH_SECONDS = 300;

/**
 * One watch from a resourceVersion to its end, whatever ends it; returns normally also when it was cut. Throws
 * KubeError when it cannot be opened, and anything else for a stream that is no watch.
 */
export async function watchOnce<T>(
  client: KubeClient,
  watch: {
    readonly path: string;
    readonly query: Readonly<Record<string, string>>;
    readonly resourceVersion: string;
    /** Closed after so long without a byte. */
    readonly staleAfterMs: number;
    readonly signal: AbortSignal;
    readonly heard: () => void;
    readonly event: (event: WatchEvent<T>) => void;
    readonly version: (resourceVersion: string) => void;
  },
): Promise<WatchEnd> {
  const stream = await client.stream({
    verb: 'GET',
    path: watch.path,
    query: {
      ...watch.query,
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: watch.resourceVersion,
      timeoutSeconds: String(Math.round(SHORTEST_WATCH_SECONDS * (1 + Math.random()))),
    },
    giveUpMs: 0,
    signal: watch.signal,
  });
  watch.heard();
  const silence = setTimeout(() => stream.close(), watch.staleAfterMs);
  const stop = () => stream.close();
  watch.signal.addEventListener('abort', stop, { once: true });
  if (watch.signal.aborted) stop();
  let lines = 0;
  let error: KubeError | undefined;
  const splitter = createLineSplitter((line) => {
    lines += 1;
    error ??= take(line, watch);
  });
  try {
    for await (const chunk of stream) {
      silence.refresh();
      watch.heard();
      splitter.push(chunk);
      if (error || watch.signal.aborted) break;
    }
  } catch (problem) {
    if (!isCut(problem)) throw problem;
  } finally {
    clearTimeout(silence);
    watch.signal.removeEventListener('abort', stop);
    stream.close();
  }
  return { lines, halfEvent: splitter.pendingBytes() > 0, error };
}

function take<T>(
  line: string,
  watch: {
    readonly path: string;
    readonly event: (event: WatchEvent<T>) => void;
    readonly version: (resourceVersion: string) => void;
  },
): KubeError | undefined {
  const { type, object } = JSON.parse(line) as { type: string; object: T & Versioned };
  if (type === 'ERROR') return eventError(watch.path, object);
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') watch.event({ type, object });
  if (object?.metadata?.resourceVersion) watch.version(object.metadata.resourceVersion);
  return undefined;
}

function isCut(error: unknown): boolean {
  return (
    (error as { status?: unknown; kind?: unknown }).kind === 'unreachable' && (error as { status: number }).status === 0
  );
}
