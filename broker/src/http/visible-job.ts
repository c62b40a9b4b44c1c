import type { FastifyRequest } from 'fastify';
import { getJob, type JobDetail } from '../db/get-job.ts';
import { SwitchyardError } from '../errors.ts';

/** The job that an address names. One that this principal may not see gives the same answer as one that is not there (I5). */
export async function visibleJob(request: FastifyRequest, id: string): Promise<JobDetail> {
  const job = isJobId(id) ? await getJob(request.server.parts.db, request.principal.viewer, id) : null;
  if (job === null)
    throw new SwitchyardError('unknown_job', `There is no job ${JSON.stringify(id.slice(0, 64))} that you may see.`, {
      hint: 'GET /v1/jobs lists those that you may see.',
    });
  return job;
}

function isJobId(id: string): boolean {
  return /^[1-9]\d{0,14}$/.test(id) || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id);
}
