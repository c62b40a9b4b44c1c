import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { addCluster } from '../../db/add-cluster.ts';
import { federationCode } from '../../db/federation-code.ts';
import { forgetCluster } from '../../db/forget-cluster.ts';
import { listClusters } from '../../db/list-clusters.ts';
import { type Admission, setAdmission } from '../../db/set-admission.ts';
import { newToken, tokenHash } from '../../token.ts';
import { requireRole } from '../auth.ts';
import { clusterName, clusterParams } from '../input.ts';

const whyBody = z.strictObject({ why: z.string().max(1000).optional() }).nullish();
const newCluster = z.strictObject({ name: clusterName });
const forgetBody = z.strictObject({ runsAreDead: z.literal(true), why: z.string().max(1000).optional() });

const admissions: Record<string, Admission> = { cordon: 'cordoned', drain: 'draining', activate: 'active' };

/** GET and POST /v1/clusters, and what an operator does with one. */
export const clusterRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    '/v1/clusters',
    { schema: { summary: 'Clusters, their capacity and its age', tags: ['clusters'] } },
    ({ principal }) => listClusters(app.parts.db, principal.viewer),
  );

  app.post(
    '/v1/clusters',
    { schema: { summary: 'Add a cluster; its token is shown this once', tags: ['clusters'], body: newCluster } },
    async ({ principal, body: { name } }, reply) => {
      requireRole(principal, 'admin', 'operator');
      const token = newToken('yc_');
      await addCluster(app.parts.db, { name, tokenHash: tokenHash(token), actor: principal.name });
      const federation = await federationCode(app.parts.db);
      return reply.code(201).send({ name, token, federation, broker: app.parts.grpcAddress() });
    },
  );

  app.post(
    '/v1/clusters/:name/forget',
    {
      schema: { summary: 'Declare what runs there dead', tags: ['clusters'], params: clusterParams, body: forgetBody },
    },
    async ({ principal, params, body: { why } }) => {
      requireRole(principal, 'admin', 'operator');
      return forgetCluster(app.parts.db, { cluster: params.name, actor: principal.name, ...(why && { why }) });
    },
  );

  for (const [word, admission] of Object.entries(admissions))
    app.post(
      `/v1/clusters/:name/${word}`,
      { schema: { summary: summaries[admission], tags: ['clusters'], params: clusterParams, body: whyBody } },
      async ({ principal, params, body }) => {
        requireRole(principal, 'admin', 'operator');
        const why = body?.why;
        await setAdmission(app.parts.db, {
          cluster: params.name,
          admission,
          actor: principal.name,
          ...(why && { why }),
        });
        return { name: params.name, admission };
      },
    );
};

const summaries: Record<Admission, string> = {
  cordoned: 'Place nothing new there',
  draining: 'Place nothing new there and move what has not started',
  active: 'Place work there again',
};
