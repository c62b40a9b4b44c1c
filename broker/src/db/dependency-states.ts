import type { JobState } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { WaitingJob } from '@switchyard/core/placement/snapshot.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import type { Queryable } from './database.ts';

type Dependency = JobSpec['dependsOn'][number];
type Dependent = { readonly id: string; readonly spec: Pick<JobSpec, 'dependsOn'> };
type Parent = {
  readonly id: string;
  readonly number: number;
  readonly state: JobState;
  readonly started_at: Date | null;
};

/** How the dependencies of many jobs stand, in one query. Jobs without any are not in the answer. */
export async function dependencyStates(
  client: Queryable,
  jobs: readonly Dependent[],
): Promise<Map<string, WaitingJob['dependency']>> {
  const dependents = jobs.filter((job) => job.spec.dependsOn.length > 0);
  if (dependents.length === 0) return new Map();
  const wanted = [...new Set(dependents.flatMap((job) => job.spec.dependsOn.map((dependency) => dependency.job)))];
  const { rows } = await client.query<Parent>(
    'SELECT id, number, state, started_at FROM jobs WHERE number = ANY($1::bigint[]) OR id = ANY($2::uuid[])',
    [wanted.filter((job) => typeof job === 'number'), wanted.filter((job) => typeof job === 'string')],
  );
  const parents = new Map<string | number, Parent>(
    rows.flatMap((row) => [[row.number, row] as const, [row.id, row] as const]),
  );
  const stateOf = ({ job, when }: Dependency) =>
    dependencyState(when, parents.get(typeof job === 'string' ? job.toLowerCase() : job));
  return new Map(dependents.map((job) => [job.id, together(job.spec.dependsOn.map(stateOf))]));
}

/** As afterok, afternotok, afterany and after of sbatch(1): a job that was cancelled has failed, and `after` is content with its end. */
function dependencyState(when: Dependency['when'], parent: Parent | undefined): WaitingJob['dependency'] {
  if (parent === undefined) return 'impossible';
  const hasEnded = parent.state === 'succeeded' || parent.state === 'failed' || parent.state === 'cancelled';
  if (when === 'started') return hasEnded || parent.started_at !== null ? 'met' : 'unmet';
  if (!hasEnded) return 'unmet';
  if (when === 'ended') return 'met';
  return (parent.state === 'succeeded') === (when === 'succeeded') ? 'met' : 'impossible';
}

function together(states: readonly WaitingJob['dependency'][]): WaitingJob['dependency'] {
  if (states.includes('impossible')) return 'impossible';
  return states.includes('unmet') ? 'unmet' : 'met';
}
