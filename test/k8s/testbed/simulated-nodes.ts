import type { ClusterParts } from './node.ts';

export type SimulatedNodeOptions = { cpus?: number };
export function simulatedNodes(_parts: ClusterParts): (count: number, options?: SimulatedNodeOptions) => Promise<void> {
  return async () => {};
}
