import { expect, test } from 'vitest';
import type { Workload } from './kueue-types.ts';
import { WorkloadStore } from './workload-store.ts';

function workload(
  name: string,
  change: { priority?: number; created?: string; reserved?: boolean; active?: boolean; queue?: string } = {},
): Workload {
  return {
    metadata: {
      name: `job-${name}`,
      namespace: 'jobs',
      uid: `w-${name}`,
      creationTimestamp: change.created ?? '2026-11-21T16:00:00Z',
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid: `j-${name}`, controller: true }],
    },
    spec: {
      queueName: change.queue ?? 'night',
      priority: change.priority ?? 0,
      active: change.active ?? true,
      podSets: [
        {
          count: 3,
          template: {
            spec: {
              activeDeadlineSeconds: 60,
              containers: [{ name: 'main', resources: { requests: { cpu: '500m' } } }],
            },
          },
        },
      ],
    },
    status: change.reserved ? { conditions: [{ type: 'QuotaReserved', status: 'True' }] } : {},
  };
}

function store() {
  const changed: string[] = [];
  const isOurs = (name: string) => name.startsWith('ydtest-');
  const kept = new WorkloadStore({ gpuResource: 'nvidia.com/gpu', isOurs, changed: (uid) => changed.push(uid) });
  const put = (...objects: Workload[]) => {
    for (const object of objects) kept.put(object);
  };
  return {
    kept,
    put,
    changed,
    place: (name: string) => kept.placeOf({ namespace: 'jobs', queue: 'night', uid: `w-${name}` }),
  };
}

test('places go by priority, then time; those of others count', () => {
  const { put, place } = store();
  put(
    workload('ydtest-2', { created: '2026-11-21T16:00:02Z' }),
    workload('theirs', { created: '2026-11-21T16:00:01Z' }),
  );
  expect([place('theirs'), place('ydtest-2')]).toEqual([1, 2]);
  put(workload('urgent', { priority: 5, created: '2026-11-21T16:00:09Z' }), workload('elsewhere', { queue: 'day' }));
  expect([place('urgent'), place('theirs'), place('ydtest-2'), place('elsewhere')]).toEqual([1, 2, 3, null]);
  put(workload('urgent', { priority: 5, reserved: true }));
  expect([place('urgent'), place('theirs'), place('ydtest-2')]).toEqual([null, 1, 2]);
});

test('only the first ten places are told', () => {
  const { put, place } = store();
  const time = (second: number) => `2026-11-21T16:00:${String(second).padStart(2, '0')}Z`;
  put(...[...Array(30).keys()].reverse().map((n) => workload(`ydtest-${n}`, { created: time(n) })));
  expect([place('ydtest-0'), place('ydtest-9'), place('ydtest-10')]).toEqual([1, 10, null]);
});

test('demand is what waits and is active, in one sum per queue', () => {
  const { kept, put } = store();
  put(
    workload('one'),
    workload('ydtest-2'),
    workload('three', { reserved: true }),
    workload('four', { active: false }),
  );
  expect(kept.demandOf('jobs', 'night')).toEqual({ waiting: 2, cpuMilli: 3000, cpuMilliSeconds: 180_000 });
  kept.remove(workload('one'));
  put(workload('ydtest-2', { reserved: true }));
  expect(kept.demandOf('jobs', 'night')).toEqual({ waiting: 0, cpuMilli: 0, cpuMilliSeconds: 0 });
});

test('facts are kept of our own only, found by the UID of the Job, and gone with the list that lacks them', () => {
  const { kept, put, changed } = store();
  kept.begin();
  put(workload('ydtest-1'), workload('theirs'));
  kept.synced();
  expect(kept.ofJob('j-ydtest-1')?.name).toBe('job-ydtest-1');
  expect(kept.ofJob('j-theirs')).toBeNull();
  expect([...kept.records()].map(({ facts }) => facts?.name ?? null)).toEqual(['job-ydtest-1', null]);
  kept.begin();
  put(workload('theirs'));
  kept.synced();
  expect(kept.ofJob('j-ydtest-1')).toBeNull();
  expect(changed).toEqual(['j-ydtest-1', 'j-ydtest-1']);
  expect(kept.demandOf('jobs', 'night').waiting).toBe(1);
});

test('who moves up in the line is told, also when it is somebody else who leaves it', () => {
  const { put, place, changed } = store();
  const at = (second: number) => ({ created: `2026-11-21T16:00:0${second}Z` });
  put(workload('theirs', at(1)), workload('ydtest-2', at(2)), workload('ydtest-3', at(3)));
  expect([place('theirs'), place('ydtest-2'), place('ydtest-3')]).toEqual([1, 2, 3]);
  changed.length = 0;
  put(workload('theirs', { ...at(1), reserved: true }));
  expect(changed.sort()).toEqual(['j-ydtest-2', 'j-ydtest-3']);
  expect([place('ydtest-2'), place('ydtest-3')]).toEqual([1, 2]);
});
