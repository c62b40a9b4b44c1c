import { type JobSpec, jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { JobToAccept } from '../../db/accept-jobs.ts';
import { acceptedBefore } from '../../db/accepted-before.ts';
import type { JobDetail } from '../../db/get-job.ts';
import type { JobSummary } from '../../db/job-summary.ts';
import { SwitchyardError } from '../../errors.ts';
import { acceptedJob } from '../accepted-job.ts';
import { requireGroup } from '../auth.ts';
import { idempotencyKey, keyConflict } from '../idempotency-key.ts';
import { bodyByHandler } from '../input.ts';
import { acceptedJobJson } from '../job-json.ts';
import { jobToAccept } from '../job-to-accept.ts';
import { envelope, readSubmission } from '../read-submission.ts';
import { requireDependencies } from '../require-dependencies.ts';
import { requireSatisfiable } from '../require-satisfiable.ts';
import { visibleJob } from '../visible-job.ts';

const BODY_LIMIT = 4 * 1_048_576;

const query = z.strictObject({
  dryRun: z.enum(['true', 'false']).default('false').meta({ description: 'true: only say where it would go' }),
});

/** POST /v1/jobs: stores a job durably, or says where it would go. */
export const submitJobRoute: FastifyPluginAsyncZod = async (app) => {
  app.route({
    method: 'POST',
    url: '/v1/jobs',
    bodyLimit: BODY_LIMIT,
    schema: {
      summary: 'Submit a job',
      tags: ['jobs'],
      querystring: query,
      body: z.strictObject({ spec: jobSpecSchema }),
      response: { 201: acceptedJobJson },
    },
    validatorCompiler: bodyByHandler,
    handler: async (request, reply) => {
      const started = performance.now();
      const spec = readSubmission(envelope(request.body, 'spec'));
      requireGroup(request.principal, spec.group);
      if (request.query.dryRun === 'true') {
        await requireRunnable(request, spec);
        return dryRun(reply, { ...(await app.parts.clusterViews.wouldPlace(spec)), spec });
      }
      const job = await accept(request, jobToAccept(spec, request.principal), spec);
      app.parts.metrics.accepted((performance.now() - started) / 1000);
      return reply.code(201).header('location', `/v1/jobs/${job.id}`).send(job);
    },
  });
};

async function accept(
  request: FastifyRequest,
  draft: JobToAccept,
  spec: JobSpec,
): Promise<(JobSummary & { runs: [] }) | JobDetail> {
  const key = idempotencyKey(request);
  const job = key === null ? draft : { ...draft, idempotencyKey: key, bodyHash: draft.specHash };
  try {
    await requireRunnable(request, spec);
  } catch (error) {
    // The clusters may have changed since the first request: what was accepted then is not refused now.
    const [before] = (await acceptedBefore(request.server.parts.db, [job])) ?? [];
    if (before === undefined) throw error;
    return visibleJob(request, before.id);
  }
  const [answer] = await request.server.parts.accepts.accept([job]);
  if (answer?.kind === 'accepted') return { ...acceptedJob(job, answer), runs: [] };
  if (answer?.kind === 'replayed') return visibleJob(request, answer.id);
  if (key !== null && answer?.kind === 'conflict') throw keyConflict(key);
  throw new SwitchyardError('internal', 'The job got no answer.');
}

async function requireRunnable(request: FastifyRequest, spec: JobSpec): Promise<void> {
  await requireDependencies(request, [spec], { indexed: false });
  await requireSatisfiable(request.server.parts.clusterViews, spec);
}

function dryRun(reply: FastifyReply, answer: object): FastifyReply {
  return reply.code(200).send(answer);
}
