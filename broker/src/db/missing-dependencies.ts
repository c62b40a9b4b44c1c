import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { asPrincipal, type Viewer } from './as-principal.ts';
import type { Database } from './database.ts';

type Reference = JobSpec['dependsOn'][number]['job'];

/** Which of these jobs, by number or id, are not there for this viewer: absent ones and those of other groups alike. */
export async function missingDependencies(
  db: Database,
  viewer: Viewer,
  references: readonly Reference[],
): Promise<ReadonlySet<Reference>> {
  if (references.length === 0) return new Set();
  const numbers = [...new Set(references.filter((job) => typeof job === 'number'))];
  const ids = [...new Set(references.filter((job) => typeof job === 'string'))];
  return asPrincipal(db, viewer, async (client) => {
    const { rows } = await client.query<{ id: string; number: number }>(
      'SELECT id, number FROM jobs WHERE number = ANY($1::bigint[]) OR id = ANY($2::uuid[])',
      [numbers, ids],
    );
    const seen = new Set<Reference>(rows.flatMap(({ id, number }) => [id, number]));
    return new Set(references.filter((job) => !seen.has(typeof job === 'string' ? job.toLowerCase() : job)));
  });
}
