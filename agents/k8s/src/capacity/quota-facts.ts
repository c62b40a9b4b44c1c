import type { Quantities, ResourceQuota } from '../api-types.ts';
import { parseQuantity } from './quantity.ts';

/** Infinity: the quota says nothing about it. */
export type QuotaRoom = {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  readonly pods: number;
  readonly jobs: number;
};

export type QuotaFacts = {
  readonly namespace: string;
  readonly name: string;
  /** Why it does not count for the pods of this agent; null: it does. */
  readonly besides: string | null;
  readonly hard: QuotaRoom;
  readonly left: QuotaRoom;
};

/** What a ResourceQuota leaves; requests and limits of the agent's pods are the same, so the smaller of both counts. */
export function quotaFacts({ metadata, spec = {}, status = {} }: ResourceQuota, gpuResource: string): QuotaFacts {
  const hard = status.hard ?? spec.hard ?? {};
  // The API server refuses every pod while it does not know what is used.
  const used = status.used ?? hard;
  const room = (minus: Quantities): QuotaRoom => ({
    cpus: least(hard, minus, ['cpu', 'requests.cpu', 'limits.cpu']),
    memoryMiB: least(hard, minus, ['memory', 'requests.memory', 'limits.memory'], 2n ** 20n),
    gpus: least(hard, minus, [`requests.${gpuResource}`]),
    pods: least(hard, minus, ['pods', 'count/pods']),
    jobs: least(hard, minus, ['count/jobs.batch']),
  });
  const { namespace = '', name } = metadata;
  return { namespace, name, besides: otherPods(scopes(spec)), hard: room({}), left: room(used) };
}

const NANOS = 1_000_000_000n;

function least(hard: Quantities, used: Quantities, names: readonly string[], unit = 1n): number {
  const left = names.flatMap((name) => {
    const most = parseQuantity(hard[name] ?? '');
    return most === null ? [] : [most - (parseQuantity(used[name] ?? '0') ?? 0n)];
  });
  if (left.length === 0) return Number.POSITIVE_INFINITY;
  const nanos = left.reduce((one, other) => (other < one ? other : one));
  return nanos <= 0n ? 0 : Number(nanos / (NANOS * unit));
}

type Scope = { readonly scopeName: string; readonly operator: string };

function scopes({ scopes = [], scopeSelector }: NonNullable<ResourceQuota['spec']>): Scope[] {
  const { matchExpressions = [] } = (scopeSelector ?? {}) as { readonly matchExpressions?: readonly Scope[] };
  return [...scopes.map((scopeName) => ({ scopeName, operator: 'Exists' })), ...matchExpressions];
}

/**
 * Pods of this agent always have requests, and a deadline if the job has a walltime; a class of priority only if the job names one.
 * A quota counts pods that are in all of its scopes.
 */
function otherPods(all: readonly Scope[]): string | null {
  for (const { scopeName, operator } of all) {
    if (scopeName === 'BestEffort') return 'pods without requests';
    if (scopeName === 'NotTerminating') return 'jobs without a walltime';
    if (scopeName === 'CrossNamespacePodAffinity') return 'pods with affinity across namespaces';
    if (scopeName === 'VolumeAttributesClass') return 'volumes';
    if (scopeName === 'PriorityClass' && ['In', 'Exists'].includes(operator)) return 'pods of some priority classes';
  }
  return null;
}
