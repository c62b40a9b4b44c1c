import { describe, expect, test } from 'vitest';
import { START_CLAIM_ANNOTATION } from '../start/start-claim.ts';
import { evictionEnd, mustBeDeactivated } from './eviction-end.ts';
import type { QueuedJob } from './kueue-types.ts';
import { type WorkloadFacts, workloadFacts } from './workload-facts.ts';

const UID = 'a5c1';
const NO_PODS = { live: 0, held: 0 };

function job(change: {
  claim?: string;
  generation?: number;
  suspend?: boolean;
  finished?: string;
  deleting?: boolean;
}): QueuedJob {
  return {
    metadata: {
      name: 'ydtest-1',
      uid: UID,
      generation: change.generation ?? 2,
      annotations: change.claim === undefined ? {} : { [START_CLAIM_ANNOTATION]: change.claim },
      ...(change.deleting ? { deletionTimestamp: '2026-11-21T17:00:00Z' } : {}),
    },
    spec: { suspend: change.suspend ?? false, template: { spec: { containers: [] } } },
    status: { conditions: change.finished ? [{ type: change.finished, status: 'True' }] : [] },
  };
}

function workload(
  change: { evicted?: string; owner?: string; active?: boolean; finished?: boolean } = {},
): WorkloadFacts {
  return workloadFacts({
    metadata: {
      name: 'w',
      uid: 'w1',
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'Job', name: 'ydtest-1', uid: change.owner ?? UID, controller: true },
      ],
    },
    spec: { active: change.active ?? true },
    status: {
      conditions: [
        ...(change.evicted
          ? [{ type: 'Evicted', status: 'True' as const, reason: change.evicted, message: 'made room' }]
          : []),
        ...(change.finished ? [{ type: 'Finished', status: 'True' as const }] : []),
      ],
    },
  })!;
}

describe('a started run that Kueue takes back ends preempted', () => {
  test('first the Workload says so, then the Job is suspended, and it is confirmed when nothing runs any more', () => {
    const detail = 'Kueue evicted it (Preempted): made room';
    const evicted = workload({ evicted: 'Preempted' });
    const started = { claim: 'started:2' };
    const ended = (confirmed: boolean) => ({ kind: 'preempted', confirmed, detail });
    expect(evictionEnd(job(started), evicted, { live: 1, held: 0 })).toEqual(ended(false));
    expect(evictionEnd(job(started), evicted, NO_PODS)).toEqual(ended(false));
    const suspended = job({ ...started, generation: 3, suspend: true });
    expect(evictionEnd(suspended, evicted, { live: 1, held: 0 })).toEqual(ended(false));
    expect(evictionEnd(suspended, evicted, NO_PODS)).toEqual(ended(true));
  });

  test('an agent that was away sees it by the Job and its new pods alone', () => {
    const resumed = job({ claim: 'started:2', generation: 4 });
    expect(evictionEnd(resumed, workload(), { live: 0, held: 1 })).toMatchObject({
      kind: 'preempted',
      confirmed: true,
    });
    expect(evictionEnd(job({ claim: 'started:2', generation: 3, suspend: true }), null, NO_PODS)).toEqual({
      kind: 'preempted',
      confirmed: true,
      detail: 'the Job was suspended after it had started, and Kueue no longer says why',
    });
  });
});

describe('nothing ends by', () => {
  test.each([
    ['an eviction before the start', job({ suspend: true }), workload({ evicted: 'Preempted' }), NO_PODS],
    ['our own withdrawal', job({ claim: 'never', suspend: true }), workload({ evicted: 'Deactivated' }), NO_PODS],
    [
      'somebody who edits the Job while it runs',
      job({ claim: 'started:2', generation: 3 }),
      workload(),
      { live: 1, held: 0 },
    ],
    ['an edit just as the last pod has ended', job({ claim: 'started:2', generation: 3 }), workload(), NO_PODS],
    [
      'an eviction of a Job that has ended',
      job({ claim: 'started:2', finished: 'Complete' }),
      workload({ evicted: 'Preempted' }),
      NO_PODS,
    ],
    ['a Job that is being deleted', job({ claim: 'started:2', suspend: true, deleting: true }), null, NO_PODS],
    [
      'the Workload of another Job of that name',
      job({ claim: 'started:2' }),
      workload({ evicted: 'Preempted', owner: 'other' }),
      NO_PODS,
    ],
  ])('%s', (_name, seen, its, pods) => {
    expect(evictionEnd(seen, its, pods)).toEqual({ kind: 'none' });
  });
});

test('what may never start, or not again, must ask for no quota', () => {
  const asks = (seen: QueuedJob, its: WorkloadFacts) => mustBeDeactivated(seen, its, evictionEnd(seen, its, NO_PODS));
  expect(asks(job({ claim: 'never', suspend: true }), workload())).toBe(true);
  expect(asks(job({ claim: 'started:2', generation: 3, suspend: true }), workload({ evicted: 'Preempted' }))).toBe(
    true,
  );
  expect(asks(job({ claim: 'started:2' }), workload())).toBe(false);
  expect(asks(job({ suspend: true }), workload({ evicted: 'Preempted' }))).toBe(false);
  expect(asks(job({ claim: 'never' }), workload({ active: false }))).toBe(false);
  expect(asks(job({ claim: 'never' }), workload({ owner: 'other' }))).toBe(false);
});
