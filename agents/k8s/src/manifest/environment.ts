import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { arrayNumbers, runIdentity } from '@switchyard/agent-runtime/run-environment.ts';
import { isArray } from '@switchyard/core/spec/task-set.ts';
import type { EnvVar } from '../api-types.ts';
import { COMPLETION_INDEX_ANNOTATION, nodeNameOf } from '../names.ts';
import { escapeExpansion } from './escape-expansion.ts';

/** Text, or a field of the pod. */
type Value = string | { readonly field: string };

const COMPLETION_INDEX: Value = { field: `metadata.annotations['${COMPLETION_INDEX_ANNOTATION}']` };

/** The environment of a run's containers. What the job sets comes first, so that it cannot change what the run is told of itself. */
export function environmentOf(order: RunOrder, { cluster, nodes }: { cluster: string; nodes: number }): EnvVar[] {
  const { spec, marker } = order;
  const array = isArray(spec);
  const all: Record<string, Value> = {
    HOME: '/tmp',
    ...spec.env,
    ...runIdentity(order, cluster),
    ...arrayVariables(order),
    // Of a task of an array, the launcher says which.
    YARD_TASK_INDEX: '0',
    YARD_NODES: String(nodes),
    YARD_NODE_RANK: nodes > 1 ? COMPLETION_INDEX : '0',
    YARD_NODE_NAME: { field: 'spec.nodeName' },
    YARD_NODELIST: nodes > 1 ? nodeList(marker, nodes) : { field: 'metadata.name' },
    // The Job controller adds it only where the job has none of that name.
    ...(array || nodes > 1 ? { JOB_COMPLETION_INDEX: COMPLETION_INDEX } : {}),
  };
  return Object.entries(all).map(([name, value]) =>
    typeof value === 'string'
      ? { name, value: escapeExpansion(value) }
      : { name, valueFrom: { fieldRef: { fieldPath: value.field } } },
  );
}

/** The names of a gang's nodes in the order of their ranks. */
export function nodeList(jobName: string, nodes: number): string {
  return Array.from({ length: nodes }, (_, index) => nodeNameOf(jobName, index)).join(',');
}

/** The whole array's numbers under both names, for existing scripts read Slurm's; the wrapper of the other clusters does the same. */
function arrayVariables({ spec }: RunOrder): Record<string, string> {
  const numbers = Object.entries(arrayNumbers(spec));
  return Object.fromEntries(
    numbers.flatMap(([name, value]) => [
      [name, value],
      [name.replace('YARD_ARRAY_', 'SLURM_ARRAY_TASK_'), value],
    ]),
  );
}
