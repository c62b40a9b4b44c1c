import { expect, test } from 'vitest';
import { explainWait, neverRuns } from './explain.ts';
import { place } from './place.ts';
import { cluster, job, NOW, SETTINGS, snapshot } from './testing/build-snapshot.ts';

test('a job that waits is told its place, and what stands against it on every cluster', () => {
  const waiting = snapshot(
    [job(), job({ constraints: { excludeClusters: ['b'] } })],
    [cluster('a', { waitingTasks: 200 }), cluster('b', { connected: false })],
  );
  const plan = place(waiting, NOW, SETTINGS);
  expect(explainWait(plan.waits[1]!, waiting)).toEqual([
    '1 job is before it in the queue.',
    'No cluster can take it now:',
    'a: it holds its 200 waiting tasks already.',
    'b: the job excludes this cluster, which waiting does not change.',
  ]);
  expect(explainWait(plan.waits[0]!, waiting)[0]).toBe('It is the first in the queue.');
  expect(neverRuns(plan, waiting.jobs[1]!.id)).toBeNull();
});

test('a job that waits for itself is told so in one sentence', () => {
  const waiting = snapshot([job({}, { dependency: 'unmet' })], [cluster('a')]);
  const plan = place(waiting, NOW, SETTINGS);
  expect(explainWait(plan.waits[0]!, waiting)).toEqual([
    'It is the first in the queue.',
    'It waits for a job that it depends on.',
  ]);
});

test('a job that nothing can ever run is known at the door', () => {
  const impossible = snapshot([job({ resources: { cpusPerTask: 99 } })], [cluster('a')]);
  const wait = neverRuns(place(impossible, NOW, SETTINGS), impossible.jobs[0]!.id)!;
  expect(explainWait(wait, impossible).slice(1)).toEqual([
    'No cluster can ever run it:',
    "a: partition 'main' gives at most 16 CPUs in a node, the job asks for 99, which waiting does not change.",
  ]);
});
