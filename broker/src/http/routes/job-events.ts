import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { JobDetail } from '../../db/get-job.ts';
import { jobEvents } from '../../db/job-events.ts';
import { SwitchyardError } from '../../errors.ts';
import { jobParams } from '../input.ts';
import { eventPageJson } from '../job-json.ts';
import { visibleJob } from '../visible-job.ts';
import { wantsStream } from '../wants-stream.ts';

const query = z.strictObject({
  after: z.coerce.number().int().min(0).default(0).meta({ description: 'only events after this sequence number' }),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.coerce.number().int().min(0).optional(),
  follow: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'true: server-sent events until the job has ended' }),
});

type Route = { Params: z.output<typeof jobParams>; Querystring: z.output<typeof query> };

/** Also without any notification the events are looked at so often: a lost one delays, it never hangs. */
const LOOK_AGAIN_MS = 10_000;
/** Notifications say only that there are events, not whose: under load, readers look at most five times a second. */
const GAP_MS = 200;
const PAGE = 500;

/** GET /v1/jobs/:id/events: what happened to a job, in order; followed, until its last event. */
export const jobEventsRoute: FastifyPluginAsyncZod = async (app) => {
  app.route({
    method: 'GET',
    url: '/v1/jobs/:id/events',
    schema: {
      summary: 'Events of a job, as a page or as a stream',
      tags: ['jobs'],
      params: jobParams,
      querystring: query,
      response: { 200: eventPageJson },
    },
    handler: async (request, reply) => {
      const job = await visibleJob(request, request.params.id);
      if (wantsStream(request)) return follow(request, reply, job);
      const { limit, after, cursor = after } = request.query;
      const items = await jobEvents(app.parts.db, request.principal.viewer, {
        jobId: job.id,
        afterSequence: cursor,
        limit,
      });
      const last = items.length === limit ? items.at(-1) : undefined;
      return { items, nextCursor: last ? String(last.sequence) : null };
    },
  });
};

async function follow(
  request: FastifyRequest<Route>,
  reply: FastifyReply,
  { id: jobId }: JobDetail,
): Promise<FastifyReply> {
  const { db, notifications, streams } = request.server.parts;
  let afterSequence = lastEventId(request) ?? request.query.after;
  const stream = streams.open(request, reply);
  const watch = notifications.watch(({ t }) => t === 'events');
  stream.signal.addEventListener('abort', watch.close, { once: true });
  try {
    while (!stream.signal.aborted) {
      const events = await jobEvents(db, request.principal.viewer, { jobId, afterSequence, limit: PAGE });
      for (const event of events) {
        await stream.send({ id: event.sequence, data: event });
        afterSequence = event.sequence;
      }
      if (events.at(-1)?.kind === 'ended') break;
      if (events.length === PAGE) continue;
      // A reader that came back after the last event would wait for ever.
      if (events.length === 0 && (await visibleJob(request, jobId)).endedAt !== null) break;
      await Promise.all([watch.changed(LOOK_AGAIN_MS), new Promise((resolve) => setTimeout(resolve, GAP_MS))]);
    }
  } catch (error) {
    request.log.warn({ err: error }, 'an event stream broke');
  } finally {
    stream.end();
  }
  return reply;
}

function lastEventId(request: FastifyRequest): number | null {
  const id = request.headers['last-event-id'];
  if (id === undefined) return null;
  if (typeof id !== 'string' || !/^\d{1,9}$/.test(id))
    throw new SwitchyardError('invalid_request', 'Last-Event-ID must be the id of an event of this stream.');
  return Number(id);
}
