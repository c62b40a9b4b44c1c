import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { releaseJob } from '../../db/release-job.ts';
import { requireRole } from '../auth.ts';
import { jobParams } from '../input.ts';
import { jobJson } from '../job-json.ts';
import { visibleJob } from '../visible-job.ts';

/** POST /v1/jobs/:id/release: lets a held job into the queue; one that is not held stays as it is. Answers with the job. */
export const releaseJobRoute: FastifyPluginAsyncZod = async (app) => {
  app.route({
    method: 'POST',
    url: '/v1/jobs/:id/release',
    schema: {
      summary: 'Release a held job',
      tags: ['jobs'],
      params: jobParams,
      body: z.strictObject({}).nullish(),
      response: { 200: jobJson },
    },
    handler: async (request) => {
      const { principal, params } = request;
      const job = await visibleJob(request, params.id);
      requireRole(principal, 'admin', 'member');
      await releaseJob(app.parts.db, { jobId: job.id, actor: principal.name });
      return visibleJob(request, job.id);
    },
  });
};
