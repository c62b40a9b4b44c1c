import { describe, expect, test } from 'vitest';
import type { ClusterQueue, Cohort } from './kueue-types.ts';
import { QuotaTree } from './queue-tree.ts';

type Quota = { nominal: number; borrowing?: number; lending?: number };

function groups(flavors: Record<string, Quota>) {
  return [
    {
      coveredResources: ['cpu'],
      flavors: Object.entries(flavors).map(([name, { nominal, borrowing, lending }]) => ({
        name,
        resources: [
          {
            name: 'cpu',
            nominalQuota: String(nominal),
            ...(borrowing === undefined ? {} : { borrowingLimit: String(borrowing) }),
            ...(lending === undefined ? {} : { lendingLimit: String(lending) }),
          },
        ],
      })),
    },
  ];
}

function queue(
  name: string,
  cohort: string,
  flavors: Record<string, Quota>,
  used: Record<string, string> = {},
): ClusterQueue {
  return {
    metadata: { name },
    spec: { ...(cohort ? { cohort } : {}), resourceGroups: groups(flavors) },
    status: {
      flavorsReservation: Object.entries(used).map(([flavor, total]) => ({
        name: flavor,
        resources: [{ name: 'cpu', total }],
      })),
    },
  };
}

function cohort(name: string, parentName: string, flavors: Record<string, Quota> = {}): Cohort {
  return { metadata: { name }, spec: { ...(parentName ? { parentName } : {}), resourceGroups: groups(flavors) } };
}

function cpus(queues: ClusterQueue[], cohorts: Cohort[], name: string) {
  const quotas = new QuotaTree(queues, cohorts, 'cpu').quotasOf(name);
  return quotas.map(({ flavor, total, free }) => [flavor, total / 1000, free / 1000]);
}

describe('what a ClusterQueue may use, in all and now', () => {
  test('alone: its own quota less what is reserved', () => {
    expect(cpus([queue('a', '', { on: { nominal: 8 }, spot: { nominal: 4 } }, { on: '2500m' })], [], 'a')).toEqual([
      ['on', 8, 5.5],
      ['spot', 4, 4],
    ]);
  });

  test('more reserved than there is (the quota was lowered) is nothing free', () => {
    expect(cpus([queue('a', '', { on: { nominal: 2 } }, { on: '3' })], [], 'a')).toEqual([['on', 2, 0]]);
  });

  test('in a cohort that is only a name: also what the others do not use', () => {
    const queues = [
      queue('a', 'c', { on: { nominal: 4 } }, { on: '3' }),
      queue('b', 'c', { on: { nominal: 6 } }, { on: '1' }),
    ];
    expect(cpus(queues, [], 'a')).toEqual([['on', 10, 6]]);
    expect(cpus(queues, [], 'b')).toEqual([['on', 10, 6]]);
  });

  test('what another has borrowed is gone, even from its own quota', () => {
    const queues = [queue('a', 'c', { on: { nominal: 4 } }), queue('b', 'c', { on: { nominal: 4 } }, { on: '7' })];
    expect(cpus(queues, [], 'a')).toEqual([['on', 8, 1]]);
  });

  test('borrowing ends at the borrowingLimit', () => {
    const queues = [
      queue('a', 'c', { on: { nominal: 4, borrowing: 2 } }, { on: '3' }),
      queue('b', 'c', { on: { nominal: 6 } }),
    ];
    expect(cpus(queues, [], 'a')).toEqual([['on', 6, 3]]);
  });

  test('what is not lent stays at home', () => {
    const queues = [queue('a', 'c', { on: { nominal: 4 } }), queue('b', 'c', { on: { nominal: 6, lending: 1 } })];
    expect(cpus(queues, [], 'a')).toEqual([['on', 5, 5]]);
    expect(cpus(queues, [], 'b')).toEqual([['on', 10, 10]]);
  });

  test('nobody borrows a flavor that it has no quota line for', () => {
    const queues = [
      queue('a', 'c', { on: { nominal: 0 } }),
      queue('b', 'c', { on: { nominal: 6 }, spot: { nominal: 9 } }),
    ];
    expect(cpus(queues, [], 'a')).toEqual([['on', 6, 6]]);
  });

  test('cohorts in a tree: quota of their own, and limits between them', () => {
    const queues = [
      queue('a', 'left', { on: { nominal: 2 } }, { on: '1' }),
      queue('b', 'right', { on: { nominal: 10 } }, { on: '4' }),
    ];
    const cohorts = [
      cohort('root', '', { on: { nominal: 5 } }),
      cohort('left', 'root', { on: { nominal: 1, borrowing: 4 } }),
      cohort('right', 'root', { on: { nominal: 0, lending: 3 } }),
    ];
    // left: 3 of its own, 4 borrowed at most; the root has 5, and 3 that the right side lends.
    expect(cpus(queues, cohorts, 'a')).toEqual([['on', 7, 6]]);
    // right keeps 7 of its 10 and uses 4 of them; root: 5 + 3 lent by right + 3 from left, 1 used.
    expect(cpus(queues, cohorts, 'b')).toEqual([['on', 18, 13]]);
  });

  test('cohorts in a circle end somewhere', () => {
    const queues = [queue('a', 'one', { on: { nominal: 2 } })];
    expect(cpus(queues, [cohort('one', 'two'), cohort('two', 'one')], 'a')).toHaveLength(1);
  });

  test('v1beta2 calls the cohort cohortName', () => {
    const { spec, ...rest } = queue('a', '', { on: { nominal: 1 } });
    const queues: ClusterQueue[] = [
      { ...rest, spec: { ...spec, cohortName: 'c' } },
      queue('b', 'c', { on: { nominal: 2 } }),
    ];
    expect(cpus(queues, [], 'a')).toEqual([['on', 3, 3]]);
  });

  test('a resource without quota, and a queue that is not there', () => {
    expect(new QuotaTree([queue('a', '', { on: { nominal: 1 } })], [], 'nvidia.com/gpu').quotasOf('a')).toEqual([]);
    expect(cpus([], [], 'a')).toEqual([]);
  });
});
