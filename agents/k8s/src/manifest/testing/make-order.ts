import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import { formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import { taskSet } from '@switchyard/core/spec/task-set.ts';
import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import { type KubernetesConfig, type KubernetesConfigInput, kubernetesConfigSchema } from '../../config.ts';
import type { Manifest } from '../job-manifest.ts';

const RUN_ID = '01900000-0000-7000-8000-000000000001';

/** A run as the broker link would hand it over, the same one for the same arguments. */
export function makeOrder(input: JobSpecInput, changes: Partial<RunOrder> = {}): RunOrder {
  const validation = validateJobSpec(input);
  if (!validation.ok) throw new Error(JSON.stringify(validation.problems));
  const { spec } = validation;
  const runId = changes.runId ?? RUN_ID;
  return {
    ...{ runId, placementNumber: 7, jobId: '01900000-0000-7000-8000-0000000000ff', jobNumber: 1042, attempt: 1 },
    ...{ tasks: formatRangeSet(taskSet(spec)), spec, specHash: 'ab'.repeat(32), pool: '', groupPath: 'physics/astro' },
    ...{ owner: 'ada', marker: markerOf('test', runId) },
    ...changes,
  };
}

export function makeConfig(input: KubernetesConfigInput = {}): KubernetesConfig {
  return kubernetesConfigSchema.parse({ defaultImage: 'registry.example/base:1', ...input });
}

export function jobIn(manifest: Manifest) {
  if ('refusal' in manifest) throw new Error(manifest.refusal);
  return manifest.job;
}
