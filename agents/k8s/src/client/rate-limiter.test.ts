import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createRateLimiter } from './rate-limiter.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Enters so many times and notes when each may go, in ms from now; leaves at once. */
function enterMany(limiter: ReturnType<typeof createRateLimiter>, count: number, lane = 'GET'): number[] {
  const startMs = performance.now();
  const wentAtMs: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const enters = limiter.enter(lane).then((leave) => {
      wentAtMs.push(performance.now() - startMs);
      leave();
    });
    enters.catch(() => {}); // turned away at the end of the test
  }
  return wentAtMs;
}

it('lets a burst go, then so many per second', async () => {
  const limiter = createRateLimiter({ requestsPerSecond: 10, burst: 5, concurrency: 100 });
  const went = enterMany(limiter, 25);
  await vi.advanceTimersByTimeAsync(0);
  expect(went.length).toBe(5);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(went.length).toBe(15);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(went.length).toBe(25);
  limiter.close();
});

it('lets so many be under way at the same time', async () => {
  const limiter = createRateLimiter({ requestsPerSecond: 1_000, burst: 1_000, concurrency: 2 });
  const first = await limiter.enter('GET');
  await limiter.enter('GET');
  const third = vi.fn();
  void limiter.enter('GET').then(third);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(third).not.toHaveBeenCalled();
  first();
  first(); // leaving twice frees one place
  await vi.advanceTimersByTimeAsync(0);
  expect(third).toHaveBeenCalledOnce();
  const fourth = vi.fn();
  limiter.enter('GET').then(fourth, () => {});
  await vi.advanceTimersByTimeAsync(5_000);
  expect(fourth).not.toHaveBeenCalled();
  limiter.close();
});

it('a crowd in one lane does not hold up another', async () => {
  const limiter = createRateLimiter({ requestsPerSecond: 10, burst: 1, concurrency: 100 });
  enterMany(limiter, 1_000, 'DELETE');
  const created = enterMany(limiter, 3, 'POST');
  await vi.advanceTimersByTimeAsync(700);
  expect(created.length).toBe(3);
  limiter.close();
});

it('a lane goes as often in a row as its weight, and no lane is forgotten', async () => {
  const weights = { submit: 4, tidy: 1 };
  const limiter = createRateLimiter({ requestsPerSecond: 1_000, burst: 1_000, concurrency: 1, weights });
  const order: string[] = [];
  const go = (lane: string) =>
    limiter.enter(lane).then((leave) => {
      order.push(lane);
      leave();
    });
  await Promise.all([...Array(8).fill('submit'), ...Array(4).fill('tidy')].map(go));
  const round = [...Array(4).fill('submit'), 'tidy'];
  // The first found nobody else there.
  expect(order).toEqual(['submit', ...round, ...Array(3).fill('submit'), ...Array(3).fill('tidy')]);
  limiter.close();
});

it('one who no longer waits takes no place', async () => {
  const limiter = createRateLimiter({ requestsPerSecond: 1, burst: 1, concurrency: 1 });
  const leave = await limiter.enter('GET');
  const giveUp = new AbortController();
  const waiting = expect(limiter.enter('GET', giveUp.signal)).rejects.toThrow('enough');
  giveUp.abort(new Error('enough'));
  await waiting;
  expect(limiter.waiting()).toBe(0);
  leave();
  limiter.close();
});

it('a server that has too much to do is left alone, then asked at half the rate, then at the full one', async () => {
  const limiter = createRateLimiter({ requestsPerSecond: 100, burst: 100, concurrency: 1_000 });
  limiter.slowDown(5_000);
  limiter.slowDown(5_000); // the crowd of answers to one mistake counts once
  const went = enterMany(limiter, 100_000);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(went.length).toBe(0);
  const before = went.length;
  await vi.advanceTimersByTimeAsync(1_001);
  const firstSecond = went.length - before;
  expect(firstSecond).toBeGreaterThan(50); // half of 100, and what recovered meanwhile
  expect(firstSecond).toBeLessThanOrEqual(100);
  await vi.advanceTimersByTimeAsync(20_000);
  const recovered = went.length;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(went.length - recovered).toBe(100);
  limiter.close();
});

it('turns away who waits when it closes, and who comes later', async () => {
  const limiter = createRateLimiter({ requestsPerSecond: 1, burst: 1, concurrency: 1 });
  await limiter.enter('GET');
  const waiting = expect(limiter.enter('GET')).rejects.toThrow('closed');
  limiter.close();
  await waiting;
  await expect(limiter.enter('GET')).rejects.toThrow('closed');
});
