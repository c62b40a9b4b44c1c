import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { SwitchyardError } from '../errors.ts';
import type { ClusterViews } from './cluster-views.ts';

/** Refuses a job that would wait for ever, naming each cluster and the limit of it that stands in the way. */
export async function requireSatisfiable(views: ClusterViews, spec: JobSpec, index?: number): Promise<void> {
  const refusals = await views.refusedForEver(spec);
  if (refusals === null) return;
  const which = index === undefined ? 'this job' : `job ${index} of the batch`;
  const why = refusals.map(({ cluster, sentence }) => `${cluster}: ${sentence}`).join('; ');
  throw new SwitchyardError('unsatisfiable', `No cluster can ever run ${which}. ${why}.`, {
    hint: 'Ask for less, or relax the constraints; GET /v1/clusters shows what each cluster has.',
    details: {
      refusals: refusals.map(({ cluster, kind, sentence }) => ({ cluster, kind, sentence })),
      ...(index === undefined ? {} : { index }),
    },
  });
}
