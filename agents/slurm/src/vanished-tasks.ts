import type { NativeJob } from '@switchyard/agent-runtime/native-queue.ts';
import { difference, formatRangeSet, intersection, type RangeSet, union } from '@switchyard/core/spec/range-set.ts';
import { nativeJob } from './native-job.ts';
import type { ListedJob } from './parse/listing.ts';
import { stateMeaning } from './states.ts';

type Listing = { readonly jobs: readonly ListedJob[]; readonly atMs: number };

/**
 * Waiting tasks of an array that somebody cancelled while other tasks of it remain: Slurm takes them out of the array's
 * waiting line and keeps no record of them (tried). What waited in the last listing and is in no line of this one, although
 * nothing that ended since can have been purged, was cancelled before it started. Remembers what it found.
 */
export function createVanishedTasks(): (listing: Listing, recordsLastMs: number) => NativeJob[] {
  let waiting = new Map<string, RangeSet>();
  let lastAtMs = 0;
  const vanished = new Map<string, RangeSet>();
  return ({ jobs, atMs }, recordsLastMs) => {
    const complete = atMs >= lastAtMs && atMs - lastAtMs < recordsLastMs;
    lastAtMs = atMs;
    const arrays = Map.groupBy(
      jobs.filter((job) => job.tasks != null),
      (job) => job.baseId,
    );
    for (const [baseId, before] of complete ? waiting : []) {
      const lines = arrays.get(baseId);
      // Nothing at all of an array is another matter, which takes two listings to believe.
      if (!lines || jobs.some((job) => job.baseId === baseId && job.tasks === undefined)) continue;
      const gone = difference(before, union(...lines.map((line) => line.tasks!)));
      if (gone.length > 0) vanished.set(baseId, union(gone, vanished.get(baseId) ?? []));
    }
    waiting = new Map(
      [...arrays].map(([baseId, lines]) => [
        baseId,
        union(...lines.filter((line) => stateMeaning(line.state).phase === 'waiting').map((line) => line.tasks!)),
      ]),
    );
    for (const [baseId, tasks] of vanished) {
      // A requeue or an older state of the controller brings them back.
      const left = difference(
        tasks,
        intersection(tasks, union(...(arrays.get(baseId) ?? []).map((line) => line.tasks!))),
      );
      if (left.length === 0 || !arrays.has(baseId)) vanished.delete(baseId);
      else vanished.set(baseId, left);
    }
    return [...vanished].map(([baseId, tasks]) => cancelled(arrays.get(baseId)![0]!, baseId, tasks));
  };
}

function cancelled(sibling: ListedJob, baseId: string, tasks: RangeSet): NativeJob {
  return {
    ...nativeJob({ ...sibling, state: 'CANCELLED', reason: 'None', host: '' }),
    nativeId: baseId,
    tasks: formatRangeSet(tasks),
    rawReason: 'taken out of its array',
    startedAtMs: null,
    endedAtMs: null,
  };
}
