import type { Informer } from '../client/informer.ts';

/** A namespace that was deleted, and the rights in it with it, must not stop all others. */
export function ofLiveNamespaces(informers: readonly Informer[]): readonly Informer[] {
  const namespaceOf = ({ path }: Informer) => /\/namespaces\/([^/]+)\//.exec(path)?.[1];
  const live = new Set(informers.filter((informer) => !informer.isRefused()).map(namespaceOf));
  return live.size === 0 ? informers : informers.filter((informer) => live.has(namespaceOf(informer)));
}
