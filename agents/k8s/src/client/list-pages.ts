import { setTimeout as pause } from 'node:timers/promises';
import type { KubeClient } from './kube-client.ts';
import { KubeError } from './kube-error.ts';
import { createListScanner, type ListMetadata } from './list-scanner.ts';
import { backoffMs } from './retry.ts';

export type Listing = {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly pageSize: number;
  readonly signal: AbortSignal;
  /** A part of a page has arrived. */
  readonly heard: () => void;
  /** The list's resourceVersion; the API server says it before the objects. May throw. */
  readonly version: (resourceVersion: string) => void;
};

/** A page of 500 large objects from a busy server may take long; a silent one is given up. */
const PAGE_TIMEOUT_MS = 60_000;
/** Retries stay inside one page, so that no long list begins anew for one lost answer. */
const PAGE_GIVE_UP_MS = 15_000;
const PAGE_ATTEMPTS = 3;

/**
 * All pages of one list, object by object; nothing of a page is kept. Objects come again when their page was asked for
 * again. Returns the list's resourceVersion.
 */
export async function listPages<T>(client: KubeClient, listing: Listing, each: (object: T) => void): Promise<string> {
  let token = '';
  for (;;) {
    const metadata = await wholePage(client, listing, token, each);
    token = metadata.continue ?? '';
    if (token === '') return metadata.resourceVersion ?? '';
  }
}

async function wholePage<T>(
  client: KubeClient,
  listing: Listing,
  token: string,
  each: (object: T) => void,
): Promise<ListMetadata> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await page(client, listing, token, each);
    } catch (error) {
      const cut = error instanceof KubeError && error.status === 0 && !listing.signal.aborted;
      if (!cut || failures + 1 >= PAGE_ATTEMPTS) throw error;
      await pause(backoffMs(failures), undefined, { signal: listing.signal });
    }
  }
}

async function page<T>(
  client: KubeClient,
  listing: Listing,
  token: string,
  each: (object: T) => void,
): Promise<ListMetadata> {
  const stream = await client.stream({
    verb: 'GET',
    path: listing.path,
    query: { ...listing.query, limit: String(listing.pageSize), ...(token ? { continue: token } : {}) },
    timeoutMs: PAGE_TIMEOUT_MS,
    giveUpMs: PAGE_GIVE_UP_MS,
    signal: listing.signal,
  });
  const silence = setTimeout(() => stream.close(), PAGE_TIMEOUT_MS);
  const scanner = createListScanner<T>(each, ({ resourceVersion }) => listing.version(resourceVersion ?? ''));
  try {
    for await (const chunk of stream) {
      silence.refresh();
      listing.heard();
      scanner.push(chunk);
    }
  } finally {
    clearTimeout(silence);
    stream.close();
  }
  const metadata = scanner.metadata();
  if (metadata) return metadata;
  throw new KubeError({
    kind: 'unreachable',
    asked: `GET ${listing.path}`,
    sentence: 'A page of the list broke off, or is no list.',
  });
}
