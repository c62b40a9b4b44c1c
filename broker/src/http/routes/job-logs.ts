import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { JobDetail } from '../../db/get-job.ts';
import { SwitchyardError } from '../../errors.ts';
import { followLog } from '../follow-log.ts';
import { jobParams } from '../input.ts';
import { rankToRead, readLogPiece, runToRead, taskToRead } from '../log-source.ts';
import { visibleJob } from '../visible-job.ts';
import { wantsStream } from '../wants-stream.ts';

const MIB = 1_048_576;
const PIECE_BYTES = 262_144;

const query = z.strictObject({
  stream: z.enum(['stdout', 'stderr']).default('stdout'),
  task: z.coerce.number().int().min(0).max(4_000_000).optional().meta({ description: 'needed for arrays' }),
  rank: z.coerce.number().int().min(0).max(100_000).default(0).meta({
    description: 'which node of a job of several nodes, where the cluster keeps an output for each (Kubernetes)',
  }),
  offset: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(16 * MIB)
    .default(4 * MIB)
    .meta({ description: 'bytes' }),
  follow: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'true: server-sent events until the output has ended' }),
});

type Route = { Params: z.output<typeof jobParams>; Querystring: z.output<typeof query> };

/** GET /v1/jobs/:id/logs: the output of a task as it lies on its cluster, at once or followed. */
export const jobLogsRoute: FastifyPluginAsyncZod = async (app) => {
  app.route({
    method: 'GET',
    url: '/v1/jobs/:id/logs',
    schema: {
      summary: 'Output of a job',
      description:
        'Plain bytes; the header Switchyard-Offset says where they begin, Switchyard-Next-Offset and Switchyard-End how to go on. Followed: events with {"offset", "data"} (base64), at last an event `end`. Where output goes away with its job (Kubernetes), the end of it is kept: then Switchyard-Tail is true (events: "tail": true), and an offset beyond the one asked for says that what was before it is gone.',
      tags: ['jobs'],
      params: jobParams,
      querystring: query,
    },
    handler: async (request, reply) => {
      const job = await visibleJob(request, request.params.id);
      const task = taskToRead(job, request.query.task);
      const { stream, offset } = request.query;
      const rank = rankToRead(job, request.query.rank);
      if (wantsStream(request)) return followLog(request, reply, { jobId: job.id, task, rank, stream, offset });
      return sendLog(request, reply, job, task);
    },
  });
};

async function sendLog(
  request: FastifyRequest<Route>,
  reply: FastifyReply,
  job: JobDetail,
  task: number,
): Promise<FastifyReply> {
  const run = runToRead(job, task);
  if (run === null) throw noOutput(job);
  const { stream, rank, limit } = request.query;
  const pieces: Buffer[] = [];
  let { offset: next } = request.query;
  let begin: number | null = null;
  let left = limit;
  let end = false;
  let isTail = false;
  while (left > 0 && !end) {
    const piece = { run, task, rank, stream, offset: next, limitBytes: Math.min(left, PIECE_BYTES), waitMs: 0 };
    const chunk = await readLogPiece(request.server.parts, request.principal.viewer, piece);
    if (chunk === null)
      throw new SwitchyardError('unavailable', `The cluster ${run.cluster} did not answer in time.`, {
        hint: 'GET /v1/clusters shows whether its agent is connected.',
      });
    if (chunk.problem !== '' && pieces.length === 0)
      throw new SwitchyardError('conflict', `The output cannot be read: ${chunk.problem}.`);
    if (begin !== null && chunk.offset > next) {
      // What lies between went away while we read: the reader goes on behind it and sees that.
      next = chunk.offset;
      break;
    }
    begin ??= chunk.offset;
    if (chunk.data.length > 0) pieces.push(chunk.data);
    next = chunk.offset + chunk.data.length;
    left -= chunk.data.length;
    ({ end, isTail } = chunk);
    if (chunk.data.length === 0) break;
  }
  return reply
    .type('text/plain; charset=utf-8')
    .header('x-content-type-options', 'nosniff')
    .header('switchyard-offset', begin ?? next)
    .header('switchyard-next-offset', next)
    .header('switchyard-end', end)
    .headers(isTail ? { 'switchyard-tail': 'true' } : {})
    .send(Buffer.concat(pieces));
}

function noOutput(job: JobDetail): SwitchyardError {
  const why = job.endedAt === null ? 'has not started yet' : `ended as ${job.state} without having started`;
  return new SwitchyardError('conflict', `Job ${job.number} ${why}, so there is no output.`, {
    ...(job.endedAt === null ? { hint: 'With follow=true the answer waits for it.' } : {}),
  });
}
