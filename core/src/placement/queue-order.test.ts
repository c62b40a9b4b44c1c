import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type OrderedJob, queueOrder } from './queue-order.ts';

const job = (id: string, change: Partial<OrderedJob> = {}): OrderedJob => ({
  id,
  groupPath: 'a',
  priority: 500,
  createdAtMs: 0,
  ...change,
});
const order = (jobs: OrderedJob[], shares?: ReadonlyMap<string, number>) =>
  jobs.toSorted(queueOrder(shares)).map(({ id }) => id);

test('priority, then fair share, then age, then id', () => {
  const jobs = [
    job('e', { createdAtMs: 2 }),
    job('d', { createdAtMs: 1 }),
    job('c', { createdAtMs: 1 }),
    job('b', { createdAtMs: 9, groupPath: 'starved' }),
    job('a', { createdAtMs: 99, priority: 501, groupPath: 'greedy' }),
  ];
  const shares = new Map([
    ['greedy', 0.9],
    ['starved', 0.1],
    ['a', 0.5],
  ]);
  expect(order(jobs, shares)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(order(jobs)).toEqual(['a', 'c', 'd', 'e', 'b']);
});

test('total: any shuffle is sorted alike', () => {
  const any = fc.record({
    id: fc.uuid(),
    groupPath: fc.constantFrom('a', 'b'),
    priority: fc.nat(2),
    createdAtMs: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.uniqueArray(any, { selector: ({ id }) => id }), (jobs) => {
      expect(order(jobs.toReversed())).toEqual(order(jobs));
    }),
  );
});
