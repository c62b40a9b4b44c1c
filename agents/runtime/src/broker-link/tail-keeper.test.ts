import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { LogTail } from '../backend.ts';
import type { ToBroker } from './broker-stream.ts';
import { createLogReaders } from './log-readers.ts';
import { createTailKeeper } from './tail-keeper.ts';

type Sent = Extract<ToBroker, { $case: 'logTail' }>['value'];

/** A broker that keeps what it gets at once, unless it is told to be silent; `tails` are what the cluster holds of each run. */
function keeper(tails: (runId: string) => AsyncIterable<LogTail>, options: { silent?: boolean; within?: number } = {}) {
  const sent: Sent[] = [];
  const said: string[] = [];
  const ended = Promise.withResolvers<{ code: number; sentence: string }>();
  const readers = createLogReaders({ asksAgainMs: 600, longestMs: 2000 });
  const made = createTailKeeper({
    backend: { logTails: tails },
    stream: {
      ended: ended.promise,
      write: async (message) => {
        if (message.$case !== 'logTail') return;
        sent.push(message.value);
        if (message.value.last && !options.silent) setTimeout(() => made.stored([message.value.runId]), 20);
      },
    },
    log: { warn: (sentence) => said.push(sentence) },
    readers,
    storedWithinMs: options.within ?? 5000,
  });
  return {
    keep: made.keep,
    ended: ended.promise,
    readers,
    sent,
    said,
    end: () => ended.resolve({ code: 14, sentence: 'gone' }),
  };
}

async function* outputs(runId: string, ...sizes: readonly number[]): AsyncIterable<LogTail> {
  for (const [task, size] of sizes.entries())
    yield { runId, task, rank: 0, offset: 10, data: Buffer.alloc(size, 'abcdefg') };
}

test('a run without tails is asked nothing', async () => {
  const { keep, sent } = keeper((runId) => outputs(runId));
  expect(await keep('r')).toBe(true);
  expect(sent).toEqual([]);
});

test('the last one is marked, an empty output too is kept', async () => {
  const { keep, sent } = keeper((runId) => outputs(runId, 3, 0, 7));
  expect(await keep('r')).toBe(true);
  expect(sent.map(({ task, last, data }) => [task, last, data.length])).toEqual([
    [0, false, 3],
    [1, false, 0],
    [2, true, 7],
  ]);
});

test('of each output the last 64 KiB, of a run one MiB', async () => {
  const { keep, sent } = keeper((runId) => outputs(runId, ...Array.from({ length: 40 }, () => 65_537)));
  expect(await keep('r')).toBe(true);
  expect(sent).toHaveLength(16);
  expect(sent.at(-1)!.last).toBe(true);
  expect(sent.every(({ data, offset }) => data.length === 65_536 && offset === 11 && data[0] === 98)).toBe(true);
});

test('many runs do not wait for one another', async () => {
  const { keep } = keeper((runId) => outputs(runId, 100, 100));
  const begun = performance.now();
  const kept = await Promise.all(Array.from({ length: 500 }, (_, at) => keep(String(at))));
  expect(kept.every((each) => each)).toBe(true);
  // One after another the broker's answers alone would take ten seconds.
  expect(performance.now() - begun).toBeLessThan(2500);
});

test('a broker that does not answer, and a session that ends, leave the run where it is', async () => {
  const silent = keeper((runId) => outputs(runId, 1), { silent: true, within: 50 });
  expect(await silent.keep('r')).toBe(false);
  expect(silent.said.join()).toContain('run r');
  const cut = keeper((runId) => outputs(runId, 1), { silent: true });
  const kept = cut.keep('r');
  await delay(20);
  cut.end();
  expect(await kept).toBe(false);
  expect(cut.said).toEqual([]);
});

test('who is in the middle of the output reads it to its end', async () => {
  const { keep, readers } = keeper((runId) => outputs(runId, 5));
  const read = (runId: string, end: boolean) => readers.seen({ runId, task: 0, rank: 0 }, { end, problem: '' });
  read('r', false);
  let isKept = false;
  const kept = keep('r').then((is) => {
    isKept = is;
  });
  expect(await keep('other')).toBe(true);
  for (let at = 0; at < 3; at += 1) {
    await delay(300);
    read('r', false);
    expect(isKept).toBe(false);
  }
  read('r', true);
  await kept;
  expect(isKept).toBe(true);
  // One who has gone away is waited for no longer than it takes to ask again.
  read('s', false);
  expect(await keep('s')).toBe(true);
});

test('a cluster that does not answer is an error: nothing is forgotten for its silence', async () => {
  const { keep } = keeper(async function* () {
    yield* outputs('r', 5);
    throw new Error('no answer');
  });
  await expect(keep('r')).rejects.toThrow('no answer');
});

test('runs leave nothing on the session, which may last for weeks', async () => {
  const { keep, ended } = keeper((runId) => outputs(runId, 3));
  const then = vi.spyOn(ended, 'then');
  expect(await keep('r')).toBe(true);
  expect(then).not.toHaveBeenCalled();
});
