import type { NativeJob } from '@switchyard/agent-runtime/native-queue.ts';
import { count, formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import type { ListedExit } from './parse/exits.ts';
import type { ListedJob } from './parse/listing.ts';
import { listedStateMeaning } from './states.ts';

/** A line of squeue in the words of the runtime. Tasks that cannot be read leave the job visible, but decide nothing. */
export function nativeJob(job: ListedJob, exit?: ListedExit): NativeJob {
  const meaning = job.tasks === undefined ? { phase: 'unknown' as const, end: null } : listedStateMeaning(job);
  const started = meaning.phase === 'running' || (meaning.phase === 'ended' && job.host !== '');
  return {
    nativeId: nativeIdOf(job),
    marker: job.comment,
    tasks: job.tasks ? formatRangeSet(job.tasks) : '',
    ...meaning,
    rawState: job.state,
    rawReason: job.reason === 'None' ? '' : job.reason,
    // COMPLETED means exit code 0 on all nodes (squeue(1), JOB STATE CODES).
    exitCode: meaning.end === 'completed' ? 0 : (exit?.exitCode ?? null),
    signal: exit?.signal ?? null,
    submittedAtMs: job.submittedAtMs,
    // Of a waiting job both are guesses of the scheduler.
    startedAtMs: started ? job.startAtMs : null,
    endedAtMs: meaning.phase === 'ended' ? job.endAtMs : null,
    restartCount: exit?.restartCount ?? 0,
    pool: job.partitions.join(','),
    host: job.host,
  };
}

/** `123` for a job or the waiting tasks of an array together, `123_4` for one task. */
export function nativeIdOf(job: ListedJob): string {
  return job.tasks && count(job.tasks) === 1 ? `${job.baseId}_${job.tasks[0]![0]}` : job.baseId;
}
