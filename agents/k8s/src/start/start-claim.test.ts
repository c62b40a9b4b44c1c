import { describe, expect, test } from 'vitest';
import type { Job, Pod } from '../api-types.ts';
import type { QueuedJob } from '../kueue/kueue-types.ts';
import { WITHDRAW_ASKED_ANNOTATION } from '../names.ts';
import {
  hasGate,
  mayStart,
  podsToLetGo,
  START_CLAIM_ANNOTATION,
  START_GATE,
  startClaimOf,
  withStartGate,
} from './start-claim.ts';

const UID = 'a5c1';

function job(
  change: { claim?: string; generation?: number; suspend?: boolean; finished?: boolean; deleting?: boolean } = {},
): QueuedJob {
  return {
    metadata: {
      name: 'ydtest-1',
      uid: UID,
      resourceVersion: '7',
      generation: change.generation ?? 2,
      annotations: change.claim === undefined ? {} : { [START_CLAIM_ANNOTATION]: change.claim },
      ...(change.deleting ? { deletionTimestamp: '2026-11-21T17:00:00Z' } : {}),
    },
    spec: { suspend: change.suspend ?? false, template: { spec: { containers: [] } } },
    status: { conditions: change.finished ? [{ type: 'Failed', status: 'True' }] : [] },
  };
}

function pod(
  uid: string,
  change: { gated?: boolean; index?: string; owner?: string; deleting?: boolean; created?: string } = {},
): Pod {
  return {
    metadata: {
      name: `ydtest-1-${uid}`,
      namespace: 'jobs',
      uid,
      creationTimestamp: change.created ?? '2026-11-21T16:00:00Z',
      annotations: change.index === undefined ? {} : { 'batch.kubernetes.io/job-completion-index': change.index },
      ownerReferences: [
        { apiVersion: 'batch/v1', kind: 'Job', name: 'ydtest-1', uid: change.owner ?? UID, controller: true },
      ],
      ...(change.deleting ? { deletionTimestamp: '2026-11-21T17:00:00Z' } : {}),
    },
    spec: { containers: [], ...(change.gated === false ? {} : { schedulingGates: [{ name: START_GATE }] }) },
  };
}

describe('who may start', () => {
  test('an admitted Job that nobody has claimed is claimed for its generation first', () => {
    expect(mayStart(job(), UID)).toEqual({ kind: 'claim', text: 'started:2' });
    expect(mayStart(job({ claim: 'started:2' }), UID)).toEqual({ kind: 'let_go' });
  });

  test.each([
    ['suspended by Kueue', job({ suspend: true }), 'suspended'],
    ['claimed for the broker', job({ claim: 'never' }), 'claimed_never'],
    ['claimed for the broker and admitted all the same', job({ claim: 'never', generation: 9 }), 'claimed_never'],
    ['resumed after an eviction', job({ claim: 'started:2', generation: 4 }), 'another_start'],
    ['suspended after its start', job({ claim: 'started:2', generation: 3, suspend: true }), 'another_start'],
    ['of an annotation that somebody else wrote', job({ claim: 'started:2x' }), 'another_start'],
    ['finished', job({ claim: 'started:2', finished: true }), 'over'],
    ['being deleted', job({ deleting: true }), 'over'],
  ])('nothing of a Job that is %s', (_name, seen, because) => {
    expect(mayStart(seen, UID)).toEqual({ kind: 'hold', because });
  });

  test('nothing of a Job whose tasks without pods were taken back', () => {
    const seen = job({ claim: 'started:2' });
    const annotations = { ...seen.metadata.annotations, [WITHDRAW_ASKED_ANNOTATION]: 'withdraw' };
    const asked = { ...seen, metadata: { ...seen.metadata, annotations } };
    expect(mayStart(asked, UID)).toEqual({ kind: 'hold', because: 'claimed_never' });
  });

  test('a Job of the same name with another UID is not ours', () => {
    expect(mayStart(job(), 'other')).toEqual({ kind: 'hold', because: 'foreign' });
    expect(mayStart(job(), '')).toEqual({ kind: 'hold', because: 'foreign' });
  });
});

describe('which pods', () => {
  test('gated ones of this Job that are not being deleted', () => {
    const pods = [pod('a'), pod('b', { index: '1', owner: 'other' }), pod('c', { index: '2', deleting: true })];
    expect(podsToLetGo(pods, UID).map(({ metadata }) => metadata.uid)).toEqual(['a']);
  });

  test('one of each index, the oldest, and none beside one that was let go', () => {
    const pods = [
      pod('late', { index: '0', created: '2026-11-21T16:00:01Z' }),
      pod('early', { index: '0' }),
      pod('second', { index: '1' }),
      pod('running', { index: '1', gated: false }),
      pod('third', { index: '2' }),
    ];
    expect(podsToLetGo(pods, UID).map(({ metadata }) => metadata.uid)).toEqual(['early', 'third']);
  });
});

test('the gate is put on once, beside the gates of others', () => {
  const plain: Job = {
    metadata: { name: 'x' },
    spec: { template: { spec: { containers: [], schedulingGates: [{ name: 'other' }] } } },
  };
  const gated = withStartGate(plain);
  expect(gated.spec.template.spec.schedulingGates).toEqual([{ name: 'other' }, { name: START_GATE }]);
  expect(withStartGate(gated)).toBe(gated);
  expect(hasGate(plain.spec.template)).toBe(false);
});

test.each([
  [undefined, { kind: 'free' }],
  ['never', { kind: 'never' }],
  ['started:12', { kind: 'started', generation: 12 }],
  ['started:0', { kind: 'started', generation: null }],
  ['', { kind: 'started', generation: null }],
])('claim %s', (claim, expected) => {
  expect(startClaimOf(job(claim === undefined ? {} : { claim }))).toEqual(expected);
});
