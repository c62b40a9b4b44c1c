import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { list } from '@switchyard/core/placement/objection.ts';
import type { Toleration } from '../api-types.ts';
import type { KubernetesConfig } from '../config.ts';
import type { KubernetesOptions } from '../native-options.ts';
import { type Binding, bindingOf, queuesOf } from './binding.ts';

/** Where a run's pods may be, and as whom. */
export type PodPlace = {
  readonly namespace: string;
  /** Kueue's LocalQueue; null: not through Kueue. */
  readonly queue: string | null;
  readonly queuePriorityClass: string | null;
  readonly priorityClass: string | null;
  readonly serviceAccount: string | null;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
};

type Choice<T> = { readonly chosen: T } | { readonly refusal: string };

/** The place, from the group's binding, the pool that placement chose and the job's own options; or why there is none, as a sentence. */
export function podPlaceOf(
  order: Pick<RunOrder, 'spec' | 'pool' | 'groupPath'>,
  options: KubernetesOptions,
  config: KubernetesConfig,
): { readonly place: PodPlace } | { readonly refusal: string } {
  const binding = bindingOf(config, order.groupPath);
  const queue = queueOf(order, options, binding);
  if ('refusal' in queue) return queue;
  const pool = poolOf(order, options, config, queue.chosen);
  if ('refusal' in pool) return pool;
  const { nodeSelector, tolerations } = pool.chosen;
  const selector = selectorOf(order.spec.resources.gpuType, nodeSelector, options, config);
  if ('refusal' in selector) return selector;
  const refusal = identityRefusal(options, binding, config, queue.chosen);
  if (refusal !== null) return { refusal };
  return {
    place: {
      namespace: binding.namespace,
      queue: queue.chosen,
      queuePriorityClass: options.kueuePriorityClassName,
      priorityClass: options.priorityClassName,
      serviceAccount: options.serviceAccountName ?? binding.serviceAccount,
      nodeSelector: selector.chosen,
      tolerations: tolerations as readonly Toleration[],
    },
  };
}

/** One that the job names, the one that placement chose, or the binding's own. A queue of another binding is none of this group's. */
function queueOf(
  { pool, groupPath }: Pick<RunOrder, 'pool' | 'groupPath'>,
  { queues: named }: KubernetesOptions,
  { queue, queues }: Binding,
): Choice<string | null> {
  if (named.length === 0) return { chosen: queues.includes(pool) ? pool : queue };
  const fit = named.filter((name) => queues.includes(name));
  if (fit.length > 0) return { chosen: fit.includes(pool) ? pool : fit[0]! };
  const known = queues.length === 0 ? 'none' : list(queues);
  return {
    refusal: `native.kubernetes.queue: there is no LocalQueue ${list(named)} for the group '${groupPath}', there is ${known}`,
  };
}

/** Kueue's flavors choose the nodes of a queue, unless the job or the agent's file names a pool. */
function poolOf(
  { pool }: Pick<RunOrder, 'pool'>,
  { pools: named }: KubernetesOptions,
  config: KubernetesConfig,
  queue: string | null,
): Choice<KubernetesConfig['pools'][string]> {
  const names = Object.keys(config.pools);
  const known = `there is ${list(names)}`;
  if (named.length > 0) {
    const fit = named.filter((name) => names.includes(name));
    if (fit.length === 0) return { refusal: `native.kubernetes.pool: there is no pool ${list(named)}, ${known}` };
    return { chosen: config.pools[fit.includes(pool) ? pool : fit[0]!]! };
  }
  if (names.includes(pool)) return { chosen: config.pools[pool]! };
  if (pool !== '' && !queuesOf(config).some((each) => each.queue === pool))
    return { refusal: `this cluster's agent has no pool '${pool}', ${known}` };
  if (queue !== null && config.defaultPool === undefined) return { chosen: { nodeSelector: {}, tolerations: [] } };
  return { chosen: config.pools[config.defaultPool ?? names[0]!]! };
}

/** All labels that are asked for; what the job says may narrow the pool's, never change it. */
function selectorOf(
  gpuType: string | undefined,
  pool: Readonly<Record<string, string>>,
  { nodeSelector: native }: KubernetesOptions,
  { gpuTypeLabel }: KubernetesConfig,
): Choice<Record<string, string>> {
  const chosen: Record<string, string> = { ...pool };
  const asked: [string, string, string][] = [
    ...(gpuType === undefined ? [] : [['resources.gpuType', gpuTypeLabel, gpuType] as [string, string, string]]),
    ...Object.entries(native).map(([key, value]): [string, string, string] => [
      'native.kubernetes.nodeSelector',
      key,
      value,
    ]),
  ];
  for (const [field, key, value] of asked) {
    if (!isLabel(key, value)) return { refusal: `${field}: '${key}=${value}' is not a label that a node can have` };
    if (Object.hasOwn(chosen, key) && chosen[key] !== value)
      return { refusal: `${field}: asks for '${key}=${value}', the nodes of this pool have '${chosen[key]}'` };
    chosen[key] = value;
  }
  return { chosen };
}

/** What would make the pod somebody else, or push out somebody else's. */
function identityRefusal(
  { serviceAccountName, priorityClassName, kueuePriorityClassName }: KubernetesOptions,
  binding: Binding,
  config: KubernetesConfig,
  queue: string | null,
): string | null {
  const accounts = [...config.allowedServiceAccounts, binding.serviceAccount];
  if (serviceAccountName !== null && !accounts.includes(serviceAccountName))
    return `native.kubernetes.serviceAccountName: this cluster's agent does not allow '${serviceAccountName}'`;
  if (kueuePriorityClassName !== null && queue === null)
    return 'native.kubernetes.kueuePriorityClassName: jobs of this group do not go through Kueue here';
  const { allowedPriorityClasses: allowed } = config;
  for (const [option, name] of Object.entries({ priorityClassName, kueuePriorityClassName }))
    if (name !== null && !allowed.includes(name))
      return `native.kubernetes.${option}: this cluster's agent does not allow '${name}'`;
  return null;
}

function isLabel(key: string, value: string): boolean {
  return (
    key.length <= 317 &&
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(key) &&
    /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/.test(value)
  );
}
