import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, SwitchyardError } from '../errors.ts';

/** The one place where a code becomes an HTTP status and a title. */
const faces: Record<ErrorCode, { status: number; title: string }> = {
  invalid_request: { status: 400, title: 'The request cannot be understood' },
  invalid_spec: { status: 422, title: 'The job specification is not valid' },
  unknown_job: { status: 404, title: 'No such job' },
  unknown_cluster: { status: 404, title: 'No such cluster' },
  unauthenticated: { status: 401, title: 'A valid token is needed' },
  forbidden: { status: 403, title: 'This token may not do that' },
  conflict: { status: 409, title: 'The present state does not allow that' },
  idempotency_conflict: { status: 409, title: 'The Idempotency-Key was used for something else' },
  cluster_exists: { status: 409, title: 'A cluster of this name exists' },
  too_large: { status: 413, title: 'The request is too large' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  unsatisfiable: { status: 422, title: 'No cluster can ever run this job' },
  unavailable: { status: 503, title: 'Temporarily unavailable' },
  internal: { status: 500, title: 'An error inside Switchyard' },
};

/** An RFC 9457 problem document; `code`, `hint`, `retryable`, `details` and `requestId` are our extension members. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  retryable: boolean;
  hint?: string;
  details?: Readonly<Record<string, unknown>>;
  requestId: string;
};

/** Answers with the problem document of any error; only errors of our own are logged, since the others are the caller's. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { error: ours, status } = asSwitchyardError(error, request);
  if (ours.code === 'internal') request.log.error({ err: error }, 'request failed');
  const problem = problemOf(ours, request.id, status);
  if (ours.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="switchyard"');
  if (ours.retryable) reply.header('retry-after', '1');
  return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** The document itself, for streams that must say it inside an event. */
export function problemOf(error: SwitchyardError, requestId: string, status = faces[error.code].status): Problem {
  return {
    type: `urn:switchyard:problem:${error.code}`,
    title: faces[error.code].title,
    status,
    detail: error.message,
    code: error.code,
    retryable: error.retryable,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.details === undefined ? {} : { details: error.details }),
    requestId,
  };
}

/** A path that no route has. */
export function sendNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = new SwitchyardError(
    'invalid_request',
    `There is no ${request.method} ${request.url.split('?')[0]} here.`,
    {
      hint: 'The interface is described at /docs and /openapi.json.',
    },
  );
  return reply
    .code(404)
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(error, request.id, 404)));
}

function asSwitchyardError(error: unknown, request: FastifyRequest): { error: SwitchyardError; status?: number } {
  if (error instanceof SwitchyardError) return { error };
  const { code, statusCode, message } = error as FastifyError;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return {
      error: new SwitchyardError(
        'too_large',
        `The body is larger than the ${Math.round((request.routeOptions.bodyLimit ?? 0) / 1_048_576)} MiB that this route takes.`,
        { hint: 'Stage large input on a file system of the cluster and name its path in the job.' },
      ),
    };
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return {
      error: new SwitchyardError('invalid_request', 'The body must be JSON.', {
        hint: 'Send the header Content-Type: application/json.',
      }),
      status: 415,
    };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { error: new SwitchyardError('invalid_request', message), status: statusCode };
  return { error: new SwitchyardError('internal', 'Something went wrong here; the log of the broker says what.') };
}
