import { count, type RangeSet } from '@switchyard/core/spec/range-set.ts';
import { FIELD } from '../dialect.ts';
import { parseDuration, parseEpoch, parseGpus, parseWhole, sum } from './amounts.ts';
import { parseTaskExpression } from './task-expression.ts';

/** One line of squeue: a job, one task of an array, or the waiting tasks of an array together. */
export type ListedJob = {
  /** Slurm's own number of this record; tasks of an array have different ones. */
  readonly jobId: string;
  /** The array's number, or the job's own. */
  readonly baseId: string;
  /** Null: no array. Undefined: an array whose tasks cannot be read. */
  readonly tasks: RangeSet | null | undefined;
  readonly taskCount: number;
  readonly state: string;
  readonly reason: string;
  readonly partitions: readonly string[];
  readonly uid: string;
  readonly submittedAtMs: number;
  readonly startAtMs: number | null;
  readonly endAtMs: number | null;
  readonly limitSeconds: number | null;
  readonly leftSeconds: number | null;
  /** Per task. */
  readonly cpus: number;
  readonly nodes: number;
  readonly gpusPerNode: number;
  readonly priority: number;
  /** Where the batch script runs or ran; '' before an allocation. */
  readonly host: string;
  readonly comment: string;
};

/** squeue(1) `--format`, fields that have the same letter from 20.11 to 26.05; the comment is last, for it is free text. */
export const LISTING_FIELDS = [
  '%A',
  '%F',
  '%K',
  '%T',
  '%r',
  '%P',
  '%U',
  '%V',
  '%S',
  '%e',
  '%l',
  '%L',
  '%C',
  '%D',
  '%b',
  '%Q',
  '%B',
  '%k',
] as const;

/** A listing that proves nothing: squeue can fail with exit 0 and empty output. Nobody may conclude that jobs are gone. */
export class ListingUntrusted extends Error {
  override readonly name = 'ListingUntrusted';
}

/**
 * Reads a listing whose lines start with `nonce`, a word of this call alone: a comment may hold line breaks (tried), so a
 * line without it is part of somebody's comment and not a job. The header line, which squeue prints even for an empty
 * queue, proves that what follows is a listing.
 */
export function parseListing(stdout: string, nonce: string): ListedJob[] {
  const lines = stdout.split('\n').filter((line) => line.startsWith(nonce));
  const [header, ...rows] = lines.map((line) => line.slice(nonce.length).split(FIELD));
  if (header === undefined || header[0] !== 'JOBID' || header.length !== LISTING_FIELDS.length)
    throw new ListingUntrusted(`squeue printed no header: ${JSON.stringify(stdout.slice(0, 200))}`);
  return rows.filter((row) => row.length >= LISTING_FIELDS.length && /^\d+$/.test(row[0]!)).map(listedJob);
}

function listedJob(row: readonly string[]): ListedJob {
  const [jobId, arrayId, taskField, state, reason, partition, uid, submit, start, end, limit, left, ...rest] =
    row as string[];
  const [cpus, nodes, gres, priority, host, ...comment] = rest;
  const expression = parseTaskExpression(taskField!);
  const tasks = expression === null ? undefined : expression === 'no array' ? null : expression;
  const text = comment.join(FIELD);
  return {
    jobId: jobId!,
    baseId: /^\d+$/.test(arrayId!) ? arrayId! : jobId!,
    tasks,
    taskCount: tasks ? count(tasks) : 1,
    state: state!,
    reason: reason!,
    partitions: partition!.split(','),
    uid: uid!,
    submittedAtMs: parseEpoch(submit!) ?? 0,
    startAtMs: parseEpoch(start!),
    endAtMs: parseEpoch(end!),
    limitSeconds: parseDuration(limit!),
    leftSeconds: parseDuration(left!),
    cpus: parseWhole(cpus) ?? 1,
    nodes: parseWhole(nodes) ?? 1,
    gpusPerNode: sum(parseGpus(gres!).values()),
    priority: parseWhole(priority) ?? 0,
    host: host === 'n/a' || host === 'N/A' ? '' : host!,
    comment: text === '(null)' ? '' : text,
  };
}
