import { hostname } from 'node:os';
import type { NativeEnd, NativeJob } from '@switchyard/agent-runtime/native-queue.ts';
import { count, formatRangeSet, type RangeSet } from '@switchyard/core/spec/range-set.ts';
import { POOL } from './admission.ts';
import { type EndedTasks, type LocalJob, nativeIdOf, type RunningTask } from './job.ts';

/** A job as the runtime reads listings: one line for all tasks that wait, one for each that runs, one for each end. */
export function nativeLines(job: LocalJob): NativeJob[] {
  return [
    ...job.ended.map((ended) => endedLine(job, ended)),
    ...[...job.running.values()].map((task) => runningLine(job, task)),
    ...(job.waiting.length > 0 ? [waitingLine(job)] : []),
  ];
}

function waitingLine(job: LocalJob): NativeJob {
  return { ...blank(job, job.waiting), phase: 'waiting', rawState: 'PENDING', rawReason: 'Resources' };
}

function runningLine(job: LocalJob, { task, startedAtMs, ending }: RunningTask): NativeJob {
  return {
    ...blank(job, [[task, task]]),
    phase: 'running',
    rawState: ending ? 'COMPLETING' : 'RUNNING',
    rawReason: ending?.reason ?? '',
    startedAtMs,
  };
}

function endedLine(job: LocalJob, ended: EndedTasks): NativeJob {
  const { end, exitCode, signal, reason, startedAtMs, endedAtMs } = ended;
  return {
    ...blank(job, ended.tasks),
    phase: 'ended',
    ...{ end, exitCode, signal, startedAtMs, endedAtMs },
    rawState: end === null ? 'EXITED' : STATE_WORDS[end],
    rawReason: reason,
  };
}

function blank({ facts }: LocalJob, tasks: RangeSet): NativeJob {
  return {
    nativeId: facts.isArray && count(tasks) > 1 ? String(facts.id) : nativeIdOf(facts, tasks[0]![0]),
    marker: facts.marker,
    tasks: facts.isArray ? formatRangeSet(tasks) : '',
    phase: 'unknown',
    end: null,
    rawState: '',
    rawReason: '',
    exitCode: null,
    signal: null,
    submittedAtMs: facts.submittedAtMs,
    startedAtMs: null,
    endedAtMs: null,
    restartCount: 0,
    pool: POOL,
    host: hostname(),
  };
}

/** Slurm's words, which people know. */
const STATE_WORDS: Readonly<Record<NativeEnd, string>> = {
  completed: 'COMPLETED',
  failed: 'FAILED',
  out_of_memory: 'OUT_OF_MEMORY',
  timeout: 'TIMEOUT',
  cancelled: 'CANCELLED',
  cancelled_by_system: 'CANCELLED',
  node_fail: 'NODE_FAIL',
  preempted: 'PREEMPTED',
  launch_failed: 'LAUNCH_FAILED',
  deadline: 'DEADLINE',
};
