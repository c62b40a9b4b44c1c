import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { jobParams } from '../input.ts';
import { jobJson } from '../job-json.ts';
import { visibleJob } from '../visible-job.ts';
import { withWaitReasons } from '../wait-reasons.ts';

/** GET /v1/jobs/:id: one job with its specification and its runs. */
export const getJobRoute: FastifyPluginAsyncZod = async (app) => {
  app.route({
    method: 'GET',
    url: '/v1/jobs/:id',
    schema: { summary: 'Show a job', tags: ['jobs'], params: jobParams, response: { 200: jobJson } },
    handler: async (request) => {
      const job = await visibleJob(request, request.params.id);
      const [shown] = await withWaitReasons(app.parts, [job]);
      return shown;
    },
  });
};
