import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import type { FastifyRequest } from 'fastify';
import { missingDependencies } from '../db/missing-dependencies.ts';
import { invalidSpec } from './read-submission.ts';

/** Refuses jobs that depend on one that is not there. One that this principal may not see gives the same answer (I5). */
export async function requireDependencies(
  request: FastifyRequest,
  specs: readonly JobSpec[],
  how: { indexed: boolean },
): Promise<void> {
  const { server, principal } = request;
  const references = specs.flatMap(({ dependsOn }) => dependsOn.map(({ job }) => job));
  const missing = await missingDependencies(server.parts.db, principal.viewer, references);
  if (missing.size === 0) return;
  const problems = specs.flatMap(({ dependsOn }, index) =>
    dependsOn.flatMap(({ job }, at) =>
      missing.has(job)
        ? {
            path: `/dependsOn/${at}/job`,
            message: `there is no job ${job} that you may see`,
            ...(how.indexed && { index }),
          }
        : [],
    ),
  );
  throw invalidSpec(problems);
}
