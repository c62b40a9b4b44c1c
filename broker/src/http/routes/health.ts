import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { hasLeader } from '../../db/has-leader.ts';
import { isReady } from '../../db/readiness.ts';
import { SwitchyardError } from '../../errors.ts';
import type { Parts } from '../parts.ts';

/** /livez: the process answers. /readyz: it can do its work. /metrics: what it counts. None needs a token. */
export const healthRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get('/livez', { schema: { summary: 'The process answers', tags: ['health'] } }, async () => ({ status: 'ok' }));

  app.get('/readyz', { schema: { summary: 'The broker can do its work', tags: ['health'] } }, async () => {
    const missing = await whatIsMissing(app.parts);
    if (missing !== null) throw new SwitchyardError('unavailable', `Not ready: ${missing}.`);
    return { status: 'ok' };
  });

  app.get(
    '/metrics',
    { schema: { summary: 'Metrics in OpenMetrics text', tags: ['health'] } },
    async (_request, reply) => {
      const { metrics } = app.parts;
      return reply.type(metrics.contentType).send(await metrics.render());
    },
  );
};

async function whatIsMissing({ db, isStopping }: Parts): Promise<string | null> {
  if (isStopping()) return 'the broker is stopping';
  if (!(await isReady(db))) return 'the database does not answer as it must';
  return (await hasLeader(db)) ? null : 'no replica leads, so nothing would be placed';
}
