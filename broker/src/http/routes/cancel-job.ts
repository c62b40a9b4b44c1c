import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { requestCancel } from '../../db/request-cancel.ts';
import { requireRole } from '../auth.ts';
import { jobParams } from '../input.ts';
import { jobJson } from '../job-json.ts';
import { visibleJob } from '../visible-job.ts';

/** POST /v1/jobs/:id/cancel: 202 when it was asked for, 200 when the job had ended already; both answer with the job. */
export const cancelJobRoute: FastifyPluginAsyncZod = async (app) => {
  app.route({
    method: 'POST',
    url: '/v1/jobs/:id/cancel',
    schema: {
      summary: 'Cancel a job',
      tags: ['jobs'],
      params: jobParams,
      body: z.strictObject({}).nullish(),
      response: { 200: jobJson, 202: jobJson },
    },
    handler: async (request, reply) => {
      const { principal, params } = request;
      const job = await visibleJob(request, params.id);
      requireRole(principal, 'admin', 'member');
      const own = principal.role === 'member' || job.owner === principal.name;
      const answer = await requestCancel(app.parts.db, {
        jobId: job.id,
        reason: own ? 'cancelled_by_user' : 'cancelled_by_admin',
        actor: principal.name,
      });
      return reply.code(answer === 'requested' ? 202 : 200).send(await visibleJob(request, job.id));
    },
  });
};
