import { type JobSpec, jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { acceptedBefore } from '../../db/accepted-before.ts';
import { SwitchyardError } from '../../errors.ts';
import { requireGroup } from '../auth.ts';
import { idempotencyKey, keyConflict } from '../idempotency-key.ts';
import { bodyByHandler } from '../input.ts';
import { batchJson } from '../job-json.ts';
import { jobToAccept, sha256Hex } from '../job-to-accept.ts';
import { envelope, readSubmissions } from '../read-submission.ts';
import { requireDependencies } from '../require-dependencies.ts';
import { requireSatisfiable } from '../require-satisfiable.ts';

const BODY_LIMIT = 32 * 1_048_576;
const MAX_JOBS = 1000;

/** POST /v1/jobs/batch: stores up to 1,000 jobs in one transaction, all or nothing. */
export const submitBatchRoute: FastifyPluginAsyncZod = async (app) => {
  app.route({
    method: 'POST',
    url: '/v1/jobs/batch',
    bodyLimit: BODY_LIMIT,
    schema: {
      summary: 'Submit many jobs at once, all or nothing',
      tags: ['jobs'],
      body: z.strictObject({ jobs: z.array(jobSpecSchema).min(1).max(MAX_JOBS) }),
      response: { 201: batchJson },
    },
    validatorCompiler: bodyByHandler,
    handler: async (request, reply) => {
      const specs = readSubmissions(jobsOf(request.body));
      for (const spec of specs) requireGroup(request.principal, spec.group);
      const drafts = specs.map((spec) => jobToAccept(spec, request.principal));
      const key = idempotencyKey(request);
      const bodyHash = key === null ? null : sha256Hex(drafts.map(({ specHash }) => specHash).join());
      // The count is part of each key, so that a longer batch under an old key can never be stored in part.
      const jobs = drafts.map((job, index) => ({
        ...job,
        idempotencyKey: key && `${key} ${index + 1}/${drafts.length}`,
        bodyHash,
      }));
      const stateOf = (index: number) => (jobs[index]?.held ? 'held' : 'queued');
      try {
        await requireRunnable(request, specs);
      } catch (error) {
        // The clusters may have changed since the first request: what was accepted then is not refused now.
        const before = await acceptedBefore(app.parts.db, jobs);
        if (before === null) throw error;
        return reply.code(201).send({ items: before.map((job, index) => ({ ...job, state: stateOf(index) })) });
      }
      const answers = await app.parts.accepts.accept(jobs);
      const items = answers.map((answer, index) => {
        if (answer.kind === 'conflict') throw keyConflict(key ?? '');
        return { id: answer.id, number: answer.number, state: stateOf(index) };
      });
      return reply.code(201).send({ items });
    },
  });
};

async function requireRunnable(request: FastifyRequest, specs: readonly JobSpec[]): Promise<void> {
  await requireDependencies(request, specs, { indexed: true });
  for (const [index, spec] of specs.entries()) await requireSatisfiable(request.server.parts.clusterViews, spec, index);
}

function jobsOf(body: unknown): unknown[] {
  const jobs = envelope(body, 'jobs');
  if (!Array.isArray(jobs) || jobs.length === 0)
    throw new SwitchyardError('invalid_request', 'jobs must be a list of at least one job specification.');
  if (jobs.length > MAX_JOBS)
    throw new SwitchyardError('too_large', `The batch has ${jobs.length} jobs; at most ${MAX_JOBS} are possible.`, {
      hint: 'Send several batches, or one job with an array.',
    });
  return jobs;
}
