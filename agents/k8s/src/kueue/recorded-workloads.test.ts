import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { StartClaim } from '../start/start-claim.ts';
import { chooseKueueVersion } from './detect-kueue.ts';
import type { Workload } from './kueue-types.ts';
import { queuedState } from './native-state.ts';
import { QuotaTree } from './queue-tree.ts';
import { workloadDemand } from './workload-demand.ts';
import { type WorkloadFacts, workloadFacts } from './workload-facts.ts';

/** What Kueue v0.14.0 really said: fixtures/README.md. */
function recorded<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`fixtures/v0.14.0/${name}.json`, import.meta.url), 'utf8')) as T;
}

function facts(name: string): WorkloadFacts {
  return workloadFacts(recorded<Workload>(name))!;
}

const FREE: StartClaim = { kind: 'free' };
const STARTED: StartClaim = { kind: 'started', generation: 2 };
const NO_QUOTA =
  "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor metal, 1 more needed";
const MADE_ROOM = 'Preempted to accommodate a workload due to prioritization in the ClusterQueue';

test('a waiting Workload: whose it is, since when it waits and for what', () => {
  expect(facts('workload-pending')).toEqual({
    namespace: 'jobs',
    name: 'job-ydtest-2-af0e8',
    uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    resourceVersion: expect.stringMatching(/^\d+$/),
    owner: { name: 'ydtest-2', uid: 'ef1633f4-c751-4922-8d2a-1171a416f1f7' },
    queue: 'night',
    clusterQueue: '',
    priority: 0,
    priorityClass: '',
    active: true,
    deleting: false,
    quotaReserved: false,
    admitted: false,
    evicted: null,
    preemptedBy: '',
    finished: null,
    pendingMessage: NO_QUOTA,
    pendingReason: 'Pending',
    requeueAtMs: null,
    checksWaiting: [],
    queuedSinceMs: Date.parse('2026-11-21T17:16:16Z'),
  });
});

describe('conditions that are there with status False are not so', () => {
  test.each([
    ['workload-admitted', { quotaReserved: true, admitted: true, clusterQueue: 'one', evicted: null }],
    ['workload-evicted', { quotaReserved: true, admitted: true, preemptedBy: 'InClusterQueue' }],
    ['workload-evicted-requeued', { quotaReserved: false, admitted: false, clusterQueue: '' }],
    // After the next admission the Workload no longer says that it was evicted: only the Job's generation does.
    ['workload-admitted-again', { quotaReserved: true, admitted: true, evicted: null, preemptedBy: '' }],
    ['workload-finished', { finished: { reason: 'Succeeded', message: 'Reached expected number of succeeded pods' } }],
    ['workload-finished', { priority: 100, priorityClass: 'urgent' }],
    ['workload-quota-reserved', { quotaReserved: true, admitted: false }],
  ])('%s', (name, expected) => {
    expect(facts(name)).toMatchObject(expected);
  });
});

describe('what a person reads', () => {
  test.each([
    ['workload-pending', FREE, 3, 'Queued', `place 3 in LocalQueue night; ${NO_QUOTA}`],
    ['workload-pending', FREE, null, 'Queued', `in LocalQueue night; ${NO_QUOTA}`],
    ['workload-no-cluster-queue', FREE, null, 'Queued', "in LocalQueue lost; ClusterQueue nowhere doesn't exist"],
    [
      'workload-quota-reserved',
      FREE,
      null,
      'QuotaReserved',
      'has quota in ClusterQueue checked by LocalQueue checked; approval is Pending',
    ],
    ['workload-admitted', FREE, null, 'Admitted', 'admitted by ClusterQueue one from LocalQueue night'],
    ['workload-evicted', FREE, null, 'Evicted', `Preempted: ${MADE_ROOM}; in LocalQueue night`],
    ['workload-evicted-requeued', FREE, 1, 'Evicted', `Preempted: ${MADE_ROOM}; place 1 in LocalQueue night`],
    [
      'workload-deactivated',
      FREE,
      null,
      'Deactivated',
      'switched off in LocalQueue night (spec.active is false); The workload is deactivated',
    ],
    ['workload-deactivated', { kind: 'never' } as StartClaim, null, 'Withdrawn', 'taken back before it started'],
  ])('%s, claim %j, place %s: %s', (name, claim, place, state, reason) => {
    expect(queuedState('night', facts(name), claim, place)).toEqual({ state, reason });
  });

  test('nothing of Kueue once the pods say more', () => {
    expect(queuedState('night', facts('workload-admitted'), STARTED, null)).toBeNull();
    expect(queuedState('night', facts('workload-finished'), STARTED, null)).toBeNull();
  });

  test('no Workload yet', () => {
    expect(queuedState('night', null, FREE, null)).toEqual({
      state: 'Suspended',
      reason: 'Kueue has not taken it into LocalQueue night yet',
    });
  });
});

test('the demand is what Kueue counted, the limit that of the pods', () => {
  const expected = { cpuMilli: 1000, memoryBytes: 64 * 2 ** 20, gpus: 0, limitSeconds: 600 };
  for (const name of ['workload-pending', 'workload-admitted', 'workload-no-cluster-queue']) {
    expect(workloadDemand(recorded(name), 'nvidia.com/gpu'), name).toEqual(expected);
  }
});

test('what is left of a ClusterQueue that is in use', () => {
  const busy = [recorded<never>('cluster-queue-busy')];
  expect(new QuotaTree(busy, [], 'cpu').quotasOf('one')).toEqual([{ flavor: 'metal', total: 1000, free: 0 }]);
  const memory = new QuotaTree(busy, [], 'memory').quotasOf('one');
  expect(memory).toEqual([{ flavor: 'metal', total: 2 ** 30, free: 2 ** 30 - 64 * 2 ** 20 }]);
});

test('the same Workload in the words of v1beta2', () => {
  const { spec, ...rest } = recorded<Workload>('workload-finished');
  const { priorityClassName, ...others } = spec;
  const next = { ...rest, spec: { ...others, priorityClassRef: { name: priorityClassName! } } };
  expect(workloadFacts(next)).toEqual(facts('workload-finished'));
});

test('the API group as it is served', () => {
  const { versions } = recorded<{ versions: { version: string }[] }>('api-group');
  expect(chooseKueueVersion(versions.map(({ version }) => version))).toBe('v1beta1');
  const { resources } = recorded<{ resources: { name: string }[] }>('api-resources');
  expect(resources.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['workloads', 'localqueues', 'clusterqueues', 'cohorts']),
  );
});
