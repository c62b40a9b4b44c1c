import { expect, test } from 'vitest';
import { rangeSet } from '../spec/range-set.ts';
import { hasRoomLeft } from './has-room-left.ts';
import type { ClusterView } from './snapshot.ts';
import { cluster, NOW, report, SETTINGS } from './testing/build-snapshot.ts';

const placed = (tasks: string) => ({
  placements: [{ jobId: 'a', cluster: 'north', pool: 'main', tasks: rangeSet(tasks), scores: [], refusals: [] }],
});

test.each<[string, Partial<ClusterView>, string, boolean]>([
  ['an empty backlog', {}, '0', true],
  ['a backlog that the plan fills', { backlog: 10 }, '0-9', false],
  ['a backlog that was full', { backlog: 10, waitingTasks: 10 }, '', false],
  ['no submit slots', { report: report(undefined, { submitSlotsLeft: 1 }) }, '0', false],
  ['a cordon', { admission: 'cordoned' }, '', false],
])('%s', (_, change, tasks, expected) => {
  const plan = tasks === '' ? { placements: [] } : placed(tasks);
  expect(hasRoomLeft({ clusters: [cluster('north', change)] }, plan, NOW, SETTINGS)).toBe(expected);
});

test('a plan that is full says nothing of the rest', () => {
  expect(hasRoomLeft({ clusters: [cluster('north')] }, placed('0'), NOW, { ...SETTINGS, limit: 1 })).toBe(false);
});
