import { expect, test } from 'vitest';
import { startCycleLoop } from './cycle-loop.ts';

const never = { minimumGapMs: 1, fallbackMs: 60_000, onError: () => {} };

/** A cycle that the test lets end. */
function controlled() {
  const gates: (() => void)[] = [];
  const begun: (() => void)[] = [];
  let count = 0;
  return {
    cycle: () => {
      count += 1;
      for (const tell of begun.splice(0)) tell();
      return new Promise<void>((resolve) => gates.push(resolve));
    },
    end: () => gates.shift()!(),
    begins: () => new Promise<void>((resolve) => begun.push(resolve)),
    count: () => count,
  };
}

test('the first cycle runs at once', async () => {
  const work = controlled();
  const loop = startCycleLoop({ ...never, cycle: work.cycle });
  expect(work.count()).toBe(1);
  work.end();
  await loop.stop();
});

test('wake-ups during a cycle are one cycle after it', async () => {
  const work = controlled();
  const loop = startCycleLoop({ ...never, cycle: work.cycle });
  for (let i = 0; i < 100; i += 1) loop.wake();
  expect(work.count()).toBe(1);
  const second = work.begins();
  work.end();
  await second;
  expect(work.count()).toBe(2);
  work.end();
  await loop.stop();
  expect(work.count()).toBe(2);
});

test('without a wake-up the fallback runs it', async () => {
  let count = 0;
  const twice = Promise.withResolvers<void>();
  const loop = startCycleLoop({
    ...never,
    fallbackMs: 2,
    cycle: async () => {
      count += 1;
      if (count === 2) twice.resolve();
    },
  });
  await twice.promise;
  await loop.stop();
});

test('a cycle that fails is told and does not end the loop', async () => {
  const errors: unknown[] = [];
  const again = Promise.withResolvers<void>();
  let count = 0;
  const loop = startCycleLoop({
    ...never,
    fallbackMs: 2,
    onError: (error) => errors.push(error),
    cycle: async () => {
      count += 1;
      if (count === 2) again.resolve();
      else throw new Error('first');
    },
  });
  await again.promise;
  await loop.stop();
  expect(errors).toHaveLength(1);
});
