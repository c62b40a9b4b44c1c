import { describe, expect, test } from 'vitest';
import { createAcceptQueue } from './accept-queue.ts';
import { SwitchyardError } from './errors.ts';

/** A database that the test commits by hand. */
function heldFlush() {
  const flushes: { jobs: string[]; commit: () => void; fail: (error: Error) => void }[] = [];
  const seen: (() => void)[] = [];
  const flush = (jobs: string[]) =>
    new Promise<(string | Error)[]>((resolve, reject) => {
      flushes.push({ jobs, commit: () => resolve(jobs.map((job) => `stored ${job}`)), fail: reject });
      seen.shift()?.();
    });
  const flushed = (count: number) =>
    new Promise<void>((resolve) => {
      const look = () => (flushes.length >= count ? resolve() : seen.push(look));
      look();
    });
  return { flush, flushes, flushed };
}

describe('accept queue', () => {
  test('answers only after the commit', async () => {
    const { flush, flushes, flushed } = heldFlush();
    const queue = createAcceptQueue<string, string>({ flush });
    let answered = false;
    const reply = queue.accept(['a']).then((answer) => {
      answered = true;
      return answer;
    });
    await flushed(1);
    expect(answered).toBe(false);
    flushes[0]!.commit();
    expect(await reply).toEqual(['stored a']);
  });

  test('collects the next batch while one is being committed, up to the bound', async () => {
    const { flush, flushes, flushed } = heldFlush();
    const queue = createAcceptQueue<string, string>({ flush, maxBatch: 3 });
    const replies = [queue.accept(['a'])];
    await flushed(1);
    for (const job of ['b', 'c', 'd', 'e']) replies.push(queue.accept([job]));
    flushes[0]!.commit();
    await flushed(2);
    flushes[1]!.commit();
    await flushed(3);
    flushes[2]!.commit();
    await Promise.all(replies);
    expect(flushes.map((each) => each.jobs)).toEqual([['a'], ['b', 'c', 'd'], ['e']]);
  });

  test('keeps a unit together and gives everybody their own answers', async () => {
    const queue = createAcceptQueue<number, number>({
      flush: async (jobs) => jobs.map((job) => job * 10),
      maxBatch: 3,
    });
    const answers = await Promise.all([queue.accept([1, 2]), queue.accept([3, 4]), queue.accept([5, 6, 7, 8])]);
    expect(answers).toEqual([
      [10, 20],
      [30, 40],
      [50, 60, 70, 80],
    ]);
  });

  test('an error for one job fails its own request alone', async () => {
    const conflict = new SwitchyardError('idempotency_conflict', 'other body');
    const queue = createAcceptQueue<string, string>({
      flush: async (jobs) => jobs.map((job) => (job === 'bad' ? conflict : job)),
    });
    const [good, bad] = await Promise.allSettled([queue.accept(['good']), queue.accept(['bad'])]);
    expect(good).toMatchObject({ status: 'fulfilled', value: ['good'] });
    expect(bad).toMatchObject({ status: 'rejected', reason: conflict });
  });

  test('a rolled-back batch is tried again one by one; a commit of unknown outcome is not', async () => {
    const tried: string[][] = [];
    const queue = createAcceptQueue<string, string>({
      flush: async (jobs) => {
        tried.push(jobs);
        if (jobs.includes('poison')) throw new SwitchyardError('invalid_request', 'cannot be stored');
        if (jobs.includes('cut')) throw new SwitchyardError('unavailable', 'the connection broke');
        return jobs;
      },
    });
    const first = await Promise.allSettled(['a', 'poison', 'b'].map((job) => queue.accept([job])));
    expect(first.map((each) => each.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(tried).toEqual([['a', 'poison', 'b'], ['a'], ['poison'], ['b']]);
    tried.length = 0;
    const second = await Promise.allSettled(['c', 'cut'].map((job) => queue.accept([job])));
    expect(second.map((each) => each.status)).toEqual(['rejected', 'rejected']);
    expect(tried).toEqual([['c', 'cut']]);
  });

  test('beyond its bound it says so, and close waits for what it took', async () => {
    const { flush, flushes, flushed } = heldFlush();
    const queue = createAcceptQueue<string, string>({ flush, maxWaiting: 2 });
    const running = queue.accept(['a']);
    await flushed(1);
    const taken = queue.accept(['b', 'c']);
    await expect(queue.accept(['d'])).rejects.toMatchObject({ code: 'too_many_requests', retryable: true });
    const closed = queue.close();
    await expect(queue.accept(['e'])).rejects.toMatchObject({ code: 'unavailable' });
    flushes[0]!.commit();
    await flushed(2);
    flushes[1]!.commit();
    await Promise.all([running, taken, closed]);
  });
});
