import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { requestWithdraw } from '../../db/request-withdraw.ts';
import { SwitchyardError } from '../../errors.ts';
import { requireRole } from '../auth.ts';

const runParams = z.strictObject({ id: z.uuid() });
const whyBody = z.strictObject({ why: z.string().max(1000).optional() }).nullish();

/** POST /v1/runs/:id/withdraw: an operator takes a waiting run back from its cluster; the claim decides whether it has started. */
export const withdrawRunRoute: FastifyPluginAsyncZod = async (app) => {
  app.post(
    '/v1/runs/:id/withdraw',
    {
      schema: {
        summary: 'Take a waiting run back from its cluster',
        tags: ['clusters'],
        params: runParams,
        body: whyBody,
      },
    },
    async ({ principal, params, body }, reply) => {
      requireRole(principal, 'admin', 'operator');
      const why = body?.why;
      const answer = await requestWithdraw(app.parts.db, {
        runId: params.id,
        actor: principal.name,
        ...(why && { why }),
      });
      if (answer === 'unknown') throw new SwitchyardError('unknown_job', `There is no run '${params.id}'.`);
      return reply.code(answer === 'requested' ? 202 : 200).send({ id: params.id, withdrawal: answer });
    },
  );
};
