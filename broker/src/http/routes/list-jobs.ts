import { JOB_STATES, type JobState } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type JobFilter, listJobs } from '../../db/list-jobs.ts';
import { SwitchyardError } from '../../errors.ts';
import { jobPageJson } from '../job-json.ts';
import { withWaitReasons } from '../wait-reasons.ts';

/** Each is a join: more would keep the planner busy for longer than anybody waits. */
const MAX_LABELS = 16;

const state = z.enum(JOB_STATES);
const repeated = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());

const query = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().max(64).optional().meta({ description: 'nextCursor of the page before' }),
  state: z
    .string()
    .transform((list) => list.split(','))
    .pipe(z.array(state))
    .optional()
    .meta({ description: `one or more of ${JOB_STATES.join(', ')}, separated by commas` }),
  group: z.string().max(255).optional().meta({ description: 'the group and all below it' }),
  cluster: z.string().max(63).optional(),
  name: z.string().max(1024).optional(),
  owner: z.string().max(255).optional(),
  label: repeated
    .pipe(z.array(z.string()).max(MAX_LABELS))
    .optional()
    .meta({ description: 'key=value; may be repeated' }),
});

/** GET /v1/jobs: a page of jobs, newest first. */
export const listJobsRoute: FastifyPluginAsyncZod = async (app) => {
  app.route({
    method: 'GET',
    url: '/v1/jobs',
    schema: { summary: 'List jobs', tags: ['jobs'], querystring: query, response: { 200: jobPageJson } },
    handler: async ({ query, principal }) => {
      const items = await listJobs(app.parts.db, principal.viewer, filterOf(query));
      const last = items.length === query.limit ? items.at(-1) : undefined;
      return { items: await withWaitReasons(app.parts, items), nextCursor: last ? cursorOf(last.number) : null };
    },
  });
};

function filterOf({ limit, cursor, state, label, ...rest }: z.output<typeof query>): JobFilter {
  return {
    limit,
    ...(cursor === undefined ? {} : { beforeNumber: numberOf(cursor) }),
    ...(state === undefined ? {} : { states: state satisfies JobState[] }),
    ...(label === undefined ? {} : { labels: labelsOf(label) }),
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
  };
}

function labelsOf(pairs: string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new SwitchyardError('invalid_request', `label: ${JSON.stringify(pair)} is not key=value.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** Opaque to callers, so that the order may change without breaking them. */
function cursorOf(number: number): string {
  return Buffer.from(`n${number}`).toString('base64url');
}

function numberOf(cursor: string): number {
  const number = Number(/^n(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))?.[1]);
  if (!Number.isSafeInteger(number))
    throw new SwitchyardError('invalid_request', 'cursor is not one that this list gave.', {
      hint: 'Take nextCursor of the page before, or leave it out for the first page.',
    });
  return number;
}
