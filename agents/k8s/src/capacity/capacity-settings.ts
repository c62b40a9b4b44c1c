import type { Slot } from '@switchyard/core/placement/capacity-report.ts';
import type { KubernetesConfig } from '../config.ts';
import type { CapacityPool } from './node-facts.ts';

export type CapacitySettings = {
  readonly pools: readonly CapacityPool[];
  /** Where a job goes that names no pool. */
  readonly defaultPool: string;
  readonly gpuResource: string;
  readonly gpuTypeLabel: string;
  /** Where this agent's jobs go. */
  readonly namespaces: readonly string[];
  /** The agent's own limits of one task; Infinity: none. */
  readonly perTask: Slot;
};

/** What of the agent's configuration its capacity depends on. */
export function capacitySettings(config: KubernetesConfig): CapacitySettings {
  const { gpuResource, gpuTypeLabel } = config;
  const pools = Object.entries(config.pools).map(([name, pool]) => ({ name, ...pool }));
  const { maxCpusPerTask, maxMemoryMiB, maxGpus } = config;
  return {
    ...{ pools, gpuResource, gpuTypeLabel },
    defaultPool: config.defaultPool ?? pools[0]?.name ?? '',
    namespaces: [...new Set([config.namespace, ...config.bindings.map(({ namespace }) => namespace)])],
    perTask: {
      cpus: maxCpusPerTask ?? Number.POSITIVE_INFINITY,
      memoryMiB: maxMemoryMiB ?? Number.POSITIVE_INFINITY,
      gpus: maxGpus ?? Number.POSITIVE_INFINITY,
    },
  };
}
