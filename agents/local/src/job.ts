import type { NativeEnd } from '@switchyard/agent-runtime/native-queue.ts';
import type { RangeSet } from '@switchyard/core/spec/range-set.ts';

/** What a host has for jobs, or a job asks for. */
export type Size = { readonly cpus: number; readonly memoryMiB: number };

/** What the queue must know of a job all the time. */
export type JobFacts = {
  readonly id: number;
  readonly marker: string;
  readonly runId: string;
  readonly submittedAtMs: number;
  readonly isArray: boolean;
  /** Range set; `0` for a plain job. */
  readonly tasks: string;
  /** Of one task. */
  readonly size: Size;
  readonly walltimeSeconds: number | null;
  readonly signal: { readonly name: string; readonly beforeEndSeconds: number; readonly batchOnly: boolean } | null;
};

/** What is needed once more when a task starts; read from the job's folder then. */
export type Launch = {
  readonly environment: Readonly<Record<string, string>>;
  /** Templates: `%a` and `%N` are filled in for each task. */
  readonly stdoutPath: string;
  readonly stderrPath: string;
  readonly stdinPath: string | null;
  readonly workdir: string;
};

/** A process that cannot be confused with another: pids come round again, and so do start times after a boot. */
export type ProcessIdentity = { readonly pid: number; readonly startTicks: number; readonly bootId: string };

/** Why a running task is being ended by the queue; written down before anything is killed. */
export type Ending = {
  readonly end: 'out_of_memory' | 'timeout' | 'cancelled';
  readonly reason: string;
  readonly atMs: number;
};

export type RunningTask = {
  readonly task: number;
  readonly process: ProcessIdentity;
  readonly startedAtMs: number;
  ending: Ending | null;
  /** The signal before the end of the walltime has been sent. */
  signalled: boolean;
  /** Not on disk: after a restart the wrapper gets its time anew. */
  payloadKilledAtMs: number | null;
};

export type EndedTasks = {
  readonly tasks: RangeSet;
  /** Null: it ended while nobody watched, and only the claim's record knows how. */
  readonly end: NativeEnd | null;
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly reason: string;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number;
};

export type LocalJob = {
  readonly facts: JobFacts;
  waiting: RangeSet;
  readonly running: Map<number, RunningTask>;
  readonly ended: EndedTasks[];
};

/** One line of a job's history; replaying all of them gives the job as it is. */
export type JobEvent =
  | { readonly type: 'started'; readonly task: number; readonly process: ProcessIdentity; readonly atMs: number }
  | ({ readonly type: 'ending'; readonly task: number } & Ending)
  | { readonly type: 'signalled'; readonly task: number }
  | ({ readonly type: 'ended'; readonly tasks: string; readonly atMs: number } & Pick<
      EndedTasks,
      'end' | 'exitCode' | 'signal' | 'reason'
    >);

/** `12`, or `12_3` for a task of an array. */
export function nativeIdOf({ id, isArray }: JobFacts, task: number): string {
  return isArray ? `${id}_${task}` : String(id);
}

export function hasEnded(job: LocalJob): boolean {
  return job.waiting.length === 0 && job.running.size === 0;
}
