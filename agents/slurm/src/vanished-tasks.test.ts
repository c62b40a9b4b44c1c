import { rangeSet } from '@switchyard/core/spec/range-set.ts';
import { expect, test } from 'vitest';
import type { ListedJob } from './parse/listing.ts';
import { parseListing } from './parse/listing.ts';
import { readFixture } from './read-fixture.ts';
import { createVanishedTasks } from './vanished-tasks.ts';

const all = parseListing(readFixture('squeue/22.05/all-kinds'), 'nonce:');
const waiting = (tasks: string): ListedJob => ({ ...all.find((job) => job.jobId === '7')!, tasks: rangeSet(tasks) });
const running = (tasks: string): ListedJob => ({ ...all.find((job) => job.jobId === '11')!, tasks: rangeSet(tasks) });
const AGE = 300_000;

test('a task that waited and is in no line any more was cancelled, and stays so', () => {
  const vanished = createVanishedTasks();
  expect(vanished({ jobs: [waiting('0-9')], atMs: 1000 }, AGE)).toEqual([]);
  expect(vanished({ jobs: [running('0'), waiting('1-4,6-9')], atMs: 2000 }, AGE)).toMatchObject([
    { nativeId: '7', tasks: '5', phase: 'ended', end: 'cancelled', marker: 'ydtest-aaaaaaaaaaaaaaaaaaaaaaaaaa' },
  ]);
  expect(vanished({ jobs: [running('0-3'), waiting('4,6-9')], atMs: 3000 }, AGE)).toMatchObject([{ tasks: '5' }]);
  expect(vanished({ jobs: [], atMs: 4000 }, AGE)).toEqual([]);
});

test('what could have run, ended and been purged since is left to the claim', () => {
  const vanished = createVanishedTasks();
  vanished({ jobs: [waiting('0-9')], atMs: 1000 }, 2000);
  expect(vanished({ jobs: [waiting('1-9')], atMs: 3000 }, 2000)).toEqual([]);
});

test('a whole array that is gone, or whose tasks cannot be read, proves nothing', () => {
  const vanished = createVanishedTasks();
  vanished({ jobs: [waiting('0-9')], atMs: 1000 }, AGE);
  expect(vanished({ jobs: [{ ...waiting('0'), tasks: undefined }, running('1')], atMs: 2000 }, AGE)).toEqual([]);
  vanished({ jobs: [waiting('0-9')], atMs: 3000 }, AGE);
  expect(vanished({ jobs: [], atMs: 4000 }, AGE)).toEqual([]);
});

test('a task that comes back is not gone', () => {
  const vanished = createVanishedTasks();
  vanished({ jobs: [waiting('0-9')], atMs: 1000 }, AGE);
  expect(vanished({ jobs: [waiting('1-9')], atMs: 2000 }, AGE)).toMatchObject([{ tasks: '0' }]);
  expect(vanished({ jobs: [waiting('0-9')], atMs: 3000 }, AGE)).toEqual([]);
});
