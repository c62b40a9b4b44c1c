import { formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FIELD } from '../dialect.ts';
import { readFixture } from '../read-fixture.ts';
import { LISTING_FIELDS, type ListedJob, ListingUntrusted, parseListing } from './listing.ts';

const NONCE = 'nonce:';
const MARKER = 'ydtest-aaaaaaaaaaaaaaaaaaaaaaaaaa';

describe('a recorded listing', () => {
  const jobs = parseListing(readFixture('squeue/22.05/all-kinds'), NONCE);
  const job = (jobId: string) => jobs.find((each) => each.jobId === jobId)!;

  test('has one entry for each line, and none for the lines of a comment', () => {
    expect(jobs.map((each) => each.jobId).sort((left, right) => Number(left) - Number(right))).toEqual(
      Array.from({ length: 15 }, (_, at) => String(at + 1)),
    );
  });

  test('an ended job', () => {
    expect(job('2')).toEqual<ListedJob>({
      jobId: '2',
      baseId: '2',
      tasks: null,
      taskCount: 1,
      state: 'FAILED',
      reason: 'NonZeroExitCode',
      partitions: ['batch'],
      uid: '0',
      submittedAtMs: 1_795_271_514_000,
      startAtMs: 1_795_271_515_000,
      endAtMs: 1_795_271_515_000,
      limitSeconds: 600,
      leftSeconds: 600,
      cpus: 1,
      nodes: 1,
      gpusPerNode: 0,
      priority: 4_294_901_758,
      host: 'n1',
      comment: MARKER,
    });
  });

  test('the waiting tasks of an array, with a limit', () => {
    const { tasks, ...array } = job('7');
    expect(formatRangeSet(tasks!)).toBe('3-9,20-60:4');
    expect(array).toMatchObject({ baseId: '7', taskCount: 18, state: 'PENDING', host: '', startAtMs: null });
  });

  test('a running task of it', () => {
    expect(job('12')).toMatchObject({ baseId: '7', tasks: [[1, 1]], state: 'RUNNING', leftSeconds: 5396, host: 'n1' });
  });

  test('two nodes with GPUs', () => {
    expect(job('15')).toMatchObject({ nodes: 2, cpus: 2, gpusPerNode: 1, comment: '' });
  });

  test('several partitions, a hold, a foreign comment', () => {
    expect(job('14').partitions).toEqual(['batch', 'short']);
    expect(job('8')).toMatchObject({ priority: 0, comment: 'somebody else' });
  });
});

test('an empty queue is a header, and nothing at all is no listing', () => {
  expect(parseListing(readFixture('squeue/22.05/empty-queue'), NONCE)).toEqual([]);
  for (const text of [
    '',
    '\n',
    'slurm_load_jobs error: Socket timed out on send/recv operation\n',
    readFixture('squeue/22.05/all-kinds'),
  ])
    expect(() => parseListing(text, 'other:')).toThrow(ListingUntrusted);
});

test('a task list that Slurm cut short leaves the job, without its tasks', () => {
  const text = readFixture('squeue/22.05/all-kinds').replace(
    '3-9,20,24,28,32,36,40,44,48,52,56,60%3',
    '3-9,20,24,28,32,36,...',
  );
  expect(parseListing(text, NONCE).find((job) => job.jobId === '7')).toMatchObject({ tasks: undefined, taskCount: 1 });
});

test('whatever stands in the lines, each gives a job or nothing', () => {
  const header = readFixture('squeue/22.05/empty-queue');
  const field = fc.oneof(fc.string(), fc.constantFrom('N/A', '(null)', '1', '1-2', 'UNLIMITED', 'n/a', '0'));
  const row = fc.array(field, { minLength: 0, maxLength: LISTING_FIELDS.length + 3 });
  fc.assert(
    fc.property(fc.array(row), (rows) => {
      const text = header + rows.map((fields) => `${NONCE}${fields.join(FIELD)}\n`).join('');
      for (const job of parseListing(text, NONCE)) {
        expect(job.jobId).toMatch(/^\d+$/);
        expect(Number.isSafeInteger(job.cpus) && Number.isSafeInteger(job.taskCount)).toBe(true);
      }
    }),
  );
});
