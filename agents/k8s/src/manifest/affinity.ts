import type { Affinity } from '../api-types.ts';
import { RUN_LABEL } from '../names.ts';

/**
 * Features are labels of nodes, `key=value` or `key` with any value, and all of them must be there. The nodes of a gang are nodes:
 * no two of its pods on one.
 */
export function affinityOf(features: readonly string[], gangRunId: string | null): { affinity?: Affinity } {
  if (features.length === 0 && gangRunId === null) return {};
  return { affinity: { ...nodesWith(features), ...(gangRunId === null ? {} : apart(gangRunId)) } };
}

function nodesWith(features: readonly string[]): Affinity {
  if (features.length === 0) return {};
  const matchExpressions = features.map((feature) => {
    const equals = feature.indexOf('=');
    return equals < 0
      ? ({ key: feature, operator: 'Exists' } as const)
      : ({ key: feature.slice(0, equals), operator: 'In', values: [feature.slice(equals + 1)] } as const);
  });
  return {
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } },
  };
}

function apart(runId: string): Affinity {
  const labelSelector = { matchLabels: { [RUN_LABEL]: runId } };
  return {
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [{ labelSelector, topologyKey: 'kubernetes.io/hostname' }],
    },
  };
}
