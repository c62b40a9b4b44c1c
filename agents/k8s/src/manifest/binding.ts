import type { KubernetesConfig } from '../config.ts';

/** Where jobs of a group go in this cluster. */
export type Binding = {
  readonly namespace: string;
  /** Kueue's LocalQueue of a job that names none; null: not through Kueue. */
  readonly queue: string | null;
  /** All LocalQueues that a job may name. */
  readonly queues: readonly string[];
  readonly serviceAccount: string | null;
};

type Bindings = Pick<KubernetesConfig, 'namespace' | 'queue' | 'queues' | 'bindings'>;

/** The binding with the longest group path that is the group's own or above it, else the agent's own namespace. */
export function bindingOf(config: Bindings, groupPath: string): Binding {
  const own = config.bindings
    .filter(({ group }) => groupPath === group || groupPath.startsWith(`${group}/`))
    .reduce<Bindings['bindings'][number] | null>(
      (best, each) => (best === null || each.group.length > best.group.length ? each : best),
      null,
    );
  const { namespace, serviceAccount = null } = own ?? { namespace: config.namespace };
  const { queue, queues } = own === null || inherits(own, config) ? config : own;
  return { namespace, queue: queue ?? null, queues: unique([queue, ...queues]), serviceAccount };
}

/** Every namespace that a run of this agent can be in, sorted. */
export function namespacesOf(config: Bindings): readonly string[] {
  return unique([config.namespace, ...config.bindings.map(({ namespace }) => namespace)]).sort();
}

/** Every LocalQueue that jobs can be sent to, in the order of the configuration. */
export function queuesOf(config: Bindings): readonly { readonly namespace: string; readonly queue: string }[] {
  const all = [config, ...config.bindings].flatMap(({ namespace, queue, queues }) =>
    unique([queue, ...queues]).map((name) => `${namespace}/${name}`),
  );
  return unique(all).map((key) => {
    const [namespace = '', name = ''] = key.split('/');
    return { namespace, queue: name };
  });
}

/** A binding to the agent's own namespace that says nothing of queues has that namespace's. */
function inherits({ namespace, queue, queues }: Bindings['bindings'][number], config: Bindings): boolean {
  return namespace === config.namespace && queue === undefined && queues.length === 0;
}

function unique(names: readonly (string | undefined)[]): string[] {
  return [...new Set(names.filter((name) => name !== undefined))];
}
