import { formatRangeSet, type RangeSet } from '@switchyard/core/spec/range-set.ts';
import {
  hasEnded,
  type JobEvent,
  type JobFacts,
  type Launch,
  type LocalJob,
  nativeIdOf,
  type RunningTask,
} from './job.ts';
import { newJob, replay } from './replay.ts';
import { openStateFolder, type StateFolder } from './state-folder.ts';

export type Running = { readonly job: LocalJob; readonly task: RunningTask };

/** All jobs in memory, each change on disk first. */
export type JobTable = {
  readonly jobs: ReadonlyMap<number, LocalJob>;
  readonly folder: Pick<StateFolder, 'readLaunch' | 'scriptPath'>;
  /** By native id; never more than there are slots. */
  readonly running: ReadonlyMap<string, Running>;
  /** Jobs with tasks that wait, first come first. */
  readonly waiting: ReadonlySet<LocalJob>;
  add(facts: Omit<JobFacts, 'id'>, launch: Launch, script: string): LocalJob;
  note(job: LocalJob, event: JobEvent): void;
  /** Removes what ended before this moment, a bounded number at a time. */
  purge(endedBeforeMs: number): Promise<void>;
};

const PURGE_AT_ONCE = 200;

export function openJobTable(stateDir: string): JobTable {
  const folder = openStateFolder(stateDir);
  const jobs = new Map<number, LocalJob>();
  const running = new Map<string, Running>();
  const waiting = new Set<LocalJob>();
  const index = (job: LocalJob) => {
    if (job.waiting.length > 0) waiting.add(job);
    else waiting.delete(job);
  };
  for (const job of folder.load()) {
    jobs.set(job.facts.id, job);
    index(job);
    for (const task of job.running.values()) running.set(nativeIdOf(job.facts, task.task), { job, task });
  }

  return {
    jobs,
    folder,
    running,
    waiting,

    add: (facts, launch, script) => {
      const job = newJob(folder.create(facts, launch, script));
      jobs.set(job.facts.id, job);
      index(job);
      return job;
    },

    note: (job, event) => {
      try {
        folder.append(job.facts.id, event);
      } catch {
        // A full disk costs what only a restart would need: processes are found again, and ends are in the claims.
      }
      replay(job, event);
      index(job);
      if (event.type === 'started') {
        const task = job.running.get(event.task)!;
        running.set(nativeIdOf(job.facts, event.task), { job, task });
      }
      if (event.type === 'ended') forgetEnded(job);
    },

    purge: async (endedBeforeMs) => {
      const old = [...jobs.values()].filter((job) => hasEnded(job) && lastEndMs(job) < endedBeforeMs);
      for (const { facts } of old.slice(0, PURGE_AT_ONCE)) {
        jobs.delete(facts.id);
        await folder.remove(facts.id);
      }
    },
  };

  function forgetEnded(job: LocalJob): void {
    for (const [nativeId, each] of running)
      if (each.job === job && !job.running.has(each.task.task)) running.delete(nativeId);
  }
}

function lastEndMs({ ended }: LocalJob): number {
  return Math.max(...ended.map(({ endedAtMs }) => endedAtMs));
}

/** The event that ends tasks which never ran. */
export function cancelWaiting(tasks: RangeSet, reason: string, atMs: number): JobEvent {
  return { type: 'ended', tasks: formatRangeSet(tasks), end: 'cancelled', exitCode: null, signal: null, reason, atMs };
}
