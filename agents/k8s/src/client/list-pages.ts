import type { KubeClient } from './kube-client.ts';

export type Listing = {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly pageSize: number;
  readonly signal: AbortSignal;
};

type ListPage<T> = {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[] | null;
};

/** A page may hold 500 large objects on a busy server; the retries stay inside one page, so that no list begins anew. */
const PAGE_TIMEOUT_MS = 60_000;
const PAGE_GIVE_UP_MS = 15_000;

/** All pages of one list, one in memory at a time; `each` gets the objects and the list's resourceVersion. */
export async function listPages<T>(
  client: KubeClient,
  listing: Listing,
  each: (items: readonly T[], resourceVersion: string) => void,
): Promise<string> {
  let token = '';
  for (;;) {
    const page: ListPage<T> = await client.request({
      verb: 'GET',
      path: listing.path,
      query: { ...listing.query, limit: String(listing.pageSize), ...(token ? { continue: token } : {}) },
      timeoutMs: PAGE_TIMEOUT_MS,
      giveUpMs: PAGE_GIVE_UP_MS,
      signal: listing.signal,
    });
    const resourceVersion = page.metadata?.resourceVersion ?? '';
    each(page.items ?? [], resourceVersion);
    token = page.metadata?.continue ?? '';
    if (token === '') return resourceVersion;
  }
}
