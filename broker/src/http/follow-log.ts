import type { FastifyReply, FastifyRequest } from 'fastify';
import type { JobDetail } from '../db/get-job.ts';
import { readLogPiece, runToRead } from './log-source.ts';
import { visibleJob } from './visible-job.ts';

export type LogToFollow = {
  readonly jobId: string;
  readonly task: number;
  readonly rank: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
};

const PIECE_BYTES = 65_536;
/** The agent holds the question so long when there is nothing new: output arrives at once and silence costs little. */
const WAIT_MS = 5000;
const LOOK_AGAIN_MS = 1000;
/** An agent that answers "nothing new" at once cannot wait for bytes: then we do. */
const QUICK_MS = 250;

/** Streams the output of a task from where it is until it has ended, also when the job has not started yet or starts again elsewhere. */
export async function followLog(request: FastifyRequest, reply: FastifyReply, log: LogToFollow): Promise<FastifyReply> {
  const { streams, notifications } = request.server.parts;
  const stream = streams.open(request, reply);
  const watch = notifications.watch(({ t }) => t === 'events');
  stream.signal.addEventListener('abort', watch.close, { once: true });
  let { offset } = log;
  let followed: string | null = null;
  try {
    while (!stream.signal.aborted) {
      const job = await visibleJob(request, log.jobId);
      const run = runToRead(job, log.task);
      if (run === null) {
        if (job.endedAt !== null) {
          await stream.send({ event: 'end', data: { offset, problem: 'the task never started' } });
          break;
        }
        await watch.changed(LOOK_AGAIN_MS);
        continue;
      }
      // Another run writes its own file from the beginning.
      if (followed !== null && followed !== run.id) offset = 0;
      followed = run.id;
      const waitMs = job.endedAt === null ? WAIT_MS : 0;
      const { task, rank, stream: name } = log;
      const piece = { run, task, rank, stream: name, offset, limitBytes: PIECE_BYTES, waitMs };
      const asked = performance.now();
      const chunk = await readLogPiece(request.server.parts, request.principal.viewer, piece);
      if (chunk !== null && chunk.data.length > 0) {
        const hint = chunk.isTail ? { tail: true } : {};
        await stream.send({ data: { offset: chunk.offset, data: chunk.data.toString('base64'), ...hint } });
        offset = chunk.offset + chunk.data.length;
      } else if (chunk?.end || isOver(job)) {
        await stream.send({ event: 'end', data: { offset, ...problem(chunk?.problem, chunk === null) } });
        break;
      } else if (chunk?.problem || performance.now() - asked < QUICK_MS) await watch.changed(LOOK_AGAIN_MS);
    }
  } catch (error) {
    request.log.warn({ err: error }, 'a log stream broke');
  } finally {
    stream.end();
  }
  return reply;
}

/** Nothing more can come: what has been read until now is everything. */
function isOver({ endedAt }: JobDetail): boolean {
  return endedAt !== null;
}

function problem(said: string | undefined, silent: boolean): { problem?: string } {
  if (silent) return { problem: 'the cluster did not answer' };
  return said ? { problem: said } : {};
}
