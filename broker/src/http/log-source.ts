import { randomUUIDv7 } from 'node:crypto';
import { contains, formatRangeSet, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { taskSet } from '@switchyard/core/spec/task-set.ts';
import type { Viewer } from '../db/as-principal.ts';
import type { JobDetail, RunDetail } from '../db/get-job.ts';
import { createLogRead, type LogChunk, takeLogChunk } from '../db/log-reads.ts';
import { readLogTail } from '../db/log-tails.ts';
import { SwitchyardError } from '../errors.ts';
import type { Parts } from './parts.ts';

export type LogPiece = {
  readonly run: RunDetail;
  readonly task: number;
  readonly rank: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly limitBytes: number;
  /** How long the agent waits for new bytes before it answers with none. */
  readonly waitMs: number;
};

/** What came of it. Its offset is beyond the one that was asked for where what lies between is gone. */
export type LogAnswer = LogChunk & {
  /** The cluster holds nothing of the run any more: this is of the end of the output, which was kept here. */
  readonly isTail: boolean;
};

/** Beyond the agent's own waiting: one way to the agent, one look at the file, one way back. */
const ANSWER_WITHIN_MS = 10_000;

/** A piece of output from where it is: the cluster of the run, or what was kept of it here. Null when no answer came in time. */
export async function readLogPiece(parts: Parts, viewer: Viewer, piece: LogPiece): Promise<LogAnswer | null> {
  const tail = () => readTail(parts, viewer, piece);
  const kept = piece.run.forgottenAt === null ? null : await tail();
  if (kept !== null) return kept;
  const chunk = await askCluster(parts, piece);
  const isFine = chunk !== null && (chunk.problem === '' || chunk.data.length > 0);
  // It may have been forgotten while we asked, and a cluster out of sight may have handed its output over before.
  const instead = isFine ? null : await tail();
  return instead ?? (chunk && { ...chunk, isTail: false });
}

async function readTail({ db }: Parts, viewer: Viewer, piece: LogPiece): Promise<LogAnswer | null> {
  const { run, task, rank, limitBytes } = piece;
  const tail = await readLogTail(db, viewer, { runId: run.id, task, rank });
  if (tail === null) return null;
  // Both streams are one output there, which is that of stdout: nobody shall see it twice.
  if (piece.stream === 'stderr')
    return { offset: piece.offset, data: Buffer.alloc(0), end: true, problem: '', isTail: true };
  const offset = Math.max(piece.offset, tail.offset);
  const data = tail.data.subarray(offset - tail.offset, offset - tail.offset + limitBytes);
  const end = offset + data.length >= tail.offset + tail.data.length;
  return { offset, data, end, problem: '', isTail: true };
}

/** Asks the session of the cluster and waits for its answer. */
async function askCluster({ db, notifications }: Parts, piece: LogPiece): Promise<LogChunk | null> {
  const { run, waitMs, ...what } = piece;
  const id = randomUUIDv7();
  const watch = notifications.watch((notification) => notification.t === 'logs' && notification.id === id);
  const until = performance.now() + waitMs + ANSWER_WITHIN_MS;
  try {
    const wantedForMs = waitMs + ANSWER_WITHIN_MS;
    await createLogRead(db, { id, cluster: run.cluster, runId: run.id, ...what, waitMs, wantedForMs });
    for (;;) {
      const chunk = await takeLogChunk(db, id);
      const left = until - performance.now();
      if (chunk !== null || left <= 0) return chunk;
      // A lost notification delays by a second, no more.
      await watch.changed(Math.min(left, 1000));
    }
  } finally {
    watch.close();
  }
}

/** The task that a reader means: the only one of a plain job, a named one of an array. */
export function taskToRead(job: JobDetail, task: number | undefined): number {
  const tasks = taskSet(job.spec);
  const known = `Its tasks are ${formatRangeSet(tasks)}.`;
  if (task === undefined && job.isArray)
    throw new SwitchyardError(
      'invalid_request',
      `Job ${job.number} is an array: name the task whose output you want.`,
      {
        hint: `${known} Add task=N.`,
      },
    );
  const meant = task ?? tasks[0]?.[0] ?? 0;
  if (!contains(tasks, meant))
    throw new SwitchyardError('invalid_request', `Job ${job.number} has no task ${meant}.`, { hint: known });
  return meant;
}

/** The node whose output is meant, where each node of a job has one of its own. */
export function rankToRead(job: JobDetail, rank: number): number {
  const nodes = job.spec.resources?.nodes ?? 1;
  if (rank < nodes) return rank;
  const known = nodes === 1 ? 'runs on one node, whose rank is 0' : `runs on ${nodes} nodes, ranks 0 to ${nodes - 1}`;
  throw new SwitchyardError('invalid_request', `Job ${job.number} has no rank ${rank}: it ${known}.`);
}

/** The run whose output a task has: the newest that started it, else the newest that may still start it. */
export function runToRead(job: JobDetail, task: number): RunDetail | null {
  const runs = job.runs.filter(({ tasks }) => contains(rangeSet(tasks), task)).toReversed();
  const started = runs.find((run) => contains(rangeSet(run.started), task));
  return started ?? runs.find(({ state }) => state === 'placed' || state === 'running') ?? null;
}
