import { KUEUE_GROUP, type KueueVersion } from './kueue-types.ts';

/** The one call of the client that this needs. */
type Reader = {
  request<T>(what: { verb: 'GET'; path: string }): Promise<T>;
};

export type Kueue = {
  readonly version: KueueVersion;
  /** Cohorts are objects since v0.9; older Kueues know them by name only. */
  readonly cohorts: boolean;
};

type ApiGroup = { readonly versions?: readonly { readonly version: string }[] };
type ApiResources = { readonly resources?: readonly { readonly name: string }[] };

/** Ours to speak, best first. */
const SPOKEN: readonly KueueVersion[] = ['v1beta2', 'v1beta1'];

/**
 * Which Kueue the cluster has: asked once, at the start. Null: none. A Kueue that serves no version this agent speaks is an error
 * and not none: without it the Jobs of a queue would wait for ever.
 */
export async function detectKueue(client: Reader): Promise<Kueue | null> {
  const group = await client.request<ApiGroup>({ verb: 'GET', path: `/apis/${KUEUE_GROUP}` }).catch(noneWhenNotFound);
  if (!group) return null;
  const served = (group.versions ?? []).map(({ version }) => version);
  const version = chooseKueueVersion(served);
  if (!version) {
    throw new Error(
      `the cluster serves ${KUEUE_GROUP} as ${served.join(', ') || 'nothing'}, and this agent speaks ${SPOKEN.join(' and ')}`,
    );
  }
  const { resources = [] } = await client.request<ApiResources>({
    verb: 'GET',
    path: `/apis/${KUEUE_GROUP}/${version}`,
  });
  const names = new Set(resources.map(({ name }) => name));
  return names.has('workloads') ? { version, cohorts: names.has('cohorts') } : null;
}

/** The newest version that both sides speak. */
export function chooseKueueVersion(served: readonly string[]): KueueVersion | null {
  return SPOKEN.find((version) => served.includes(version)) ?? null;
}

/** Where Kueue's objects of a kind are listed and watched; without a namespace those of the cluster. */
export function kueuePath(version: KueueVersion, kind: KueueKind, namespace?: string, name?: string): string {
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `/apis/${KUEUE_GROUP}/${version}${scope}/${kind}${object}`;
}

export type KueueKind = 'workloads' | 'localqueues' | 'clusterqueues' | 'cohorts';

function noneWhenNotFound(error: unknown): null {
  if ((error as { kind?: string }).kind === 'not_found') return null;
  throw error;
}
