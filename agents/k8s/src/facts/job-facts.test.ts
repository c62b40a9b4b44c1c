import { expect, it } from 'vitest';
import { START_CLAIM_ANNOTATION } from '../start/start-claim.ts';
import { jobFacts, mergeJob } from './job-facts.ts';
import { ended, makeJob, sec } from './testing/make-facts.ts';

it('an end is not taken back by an older version', () => {
  const running = jobFacts(makeJob());
  expect(mergeJob(mergeJob(running, ended('Complete')), running).finished).toMatchObject({ kind: 'complete' });
});

it('an older version of a queued Job does not suspend it again', () => {
  const queued = jobFacts(makeJob({ spec: { suspend: true }, metadata: { generation: 1 } }));
  const annotations = { [START_CLAIM_ANNOTATION]: 'started:2' };
  const claimed = jobFacts(makeJob({ metadata: { generation: 2, annotations } }));
  expect(mergeJob(mergeJob(queued, claimed), queued)).toMatchObject({ suspended: false, startClaim: 'started:2' });
  const unclaimed = jobFacts(makeJob({ spec: { suspend: true }, metadata: { generation: 2 } }));
  expect(mergeJob(claimed, unclaimed)).toMatchObject({ suspended: false, startClaim: 'started:2' });
  const evicted = jobFacts(makeJob({ spec: { suspend: true }, metadata: { generation: 3, annotations } }));
  expect(mergeJob(claimed, evicted).suspended).toBe(true);
});

it('a deletion is remembered, and so is what was asked', () => {
  const annotations = { 'switchyard.dev/withdraw-asked': 'withdraw' };
  const deleting = jobFacts(makeJob({ metadata: { deletionTimestamp: sec(3), annotations } }));
  expect(mergeJob(deleting, jobFacts(makeJob()))).toMatchObject({ deleting: true, asked: 'withdraw' });
});

it('a Job of another UID is another Job', () => {
  const other = jobFacts(makeJob({ metadata: { uid: 'other' } }));
  expect(mergeJob(ended('Failed'), other)).toBe(other);
});

it('indexes that cannot be read are none', () => {
  expect(jobFacts(makeJob({ status: { completedIndexes: '0-3,x' } })).completedIndexes).toEqual([]);
});
