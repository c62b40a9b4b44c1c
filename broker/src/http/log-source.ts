import { randomUUIDv7 } from 'node:crypto';
import { contains, formatRangeSet, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { taskSet } from '@switchyard/core/spec/task-set.ts';
import type { JobDetail, RunDetail } from '../db/get-job.ts';
import { createLogRead, type LogChunk, takeLogChunk } from '../db/log-reads.ts';
import { SwitchyardError } from '../errors.ts';
import type { Parts } from './parts.ts';

export type LogPiece = {
  readonly run: RunDetail;
  readonly task: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly limitBytes: number;
  /** How long the agent waits for new bytes before it answers with none. */
  readonly waitMs: number;
};

/** Beyond the agent's own waiting: one way to the agent, one look at the file, one way back. */
const ANSWER_WITHIN_MS = 10_000;

/** Asks the cluster of the run for a piece of its output and waits for the answer; null when none came in time. */
export async function readLogPiece({ db, notifications }: Parts, piece: LogPiece): Promise<LogChunk | null> {
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

/** The run whose output a task has: the newest that started it, else the newest that may still start it. */
export function runToRead(job: JobDetail, task: number): RunDetail | null {
  const runs = job.runs.filter(({ tasks }) => contains(rangeSet(tasks), task)).toReversed();
  const started = runs.find((run) => contains(rangeSet(run.started), task));
  return started ?? runs.find(({ state }) => state === 'placed' || state === 'running') ?? null;
}
