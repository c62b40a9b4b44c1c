import {
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ClaimStore, openClaimStore } from './claim-store.ts';

let stateDir: string;
let store: ClaimStore;
const RUN = 'run-1';
const file = (name: string) => join(store.directory(RUN), name);

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-claims-'));
  store = openClaimStore(join(stateDir, 'deep'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

it('says whether the directory of a run is new', async () => {
  expect(await store.make(RUN)).toBe('fresh');
  expect(await store.make(RUN)).toBe('existed');
  await store.remove(RUN);
  await store.remove(RUN);
  expect(await store.make(RUN)).toBe('fresh');
});

it('never shows a directory without its claims while it is removed: a copy could start', async () => {
  await store.make(RUN);
  await store.take(
    RUN,
    Array.from({ length: 3000 }, (_, task) => task),
    'withdrawn',
  );
  const removing = { over: false };
  void store.remove(RUN).finally(() => {
    removing.over = true;
  });
  while (!removing.over) {
    const free = existsSync(file('..')) && !existsSync(file('0')) && existsSync(store.directory(RUN));
    expect(free).toBe(false);
    const last = !existsSync(file('2999')) && existsSync(store.directory(RUN));
    expect(last).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(existsSync(store.directory(RUN))).toBe(false);
});

it('removes a run whose tasks nobody knows, unless one has started', async () => {
  await store.make(RUN);
  await store.take(RUN, [3], 'withdrawn');
  writeFileSync(file('4'), 'claim 55_4 0 n7 1700000000 12\nkey k\n');
  expect(await store.removeUnstarted(RUN)).toEqual([4]);
  expect(readdirSync(store.directory(RUN)).sort()).toEqual(['3', '4']);
  rmSync(file('4'));
  expect(await store.removeUnstarted(RUN)).toEqual([]);
  expect(await store.has(RUN)).toBe(false);
  expect(await store.removeUnstarted(RUN)).toEqual([]);
});

it('gives a claim once, whoever asks at the same time', async () => {
  await store.make(RUN);
  const answers = await Promise.all(Array.from({ length: 20 }, () => store.take(RUN, [0], 'withdrawn')));
  expect(answers.filter((answer) => answer.get(0)!.won)).toHaveLength(1);
  expect(await store.read(RUN, 0)).toEqual({ record: { by: 'withdrawn' }, verdict: null });
  expect(readdirSync(store.directory(RUN))).toEqual(['0']);
});

it('loses against a start, and says which', async () => {
  await store.make(RUN);
  writeFileSync(file('3'), 'claim 55_3 1 n7 1700000000 12\nkey k\nstart 1700000001\n');
  const taken = await store.take(RUN, [2, 3], 'cancelled', { outcome: 'cancelled', reason: 'cancelled_by_user' });
  expect(taken.get(2)).toMatchObject({ won: true, verdict: { outcome: 'cancelled' } });
  expect(taken.get(3)).toMatchObject({
    won: false,
    record: { by: 'wrapper', nativeId: '55_3', restartCount: 1, host: 'n7' },
  });
});

it('keeps the end that it was taken with', async () => {
  await store.make(RUN);
  const end = { outcome: 'refused', reason: 'rejected', detail: 'no "such"\naccount' } as const;
  await store.take(RUN, [0], 'withdrawn', end);
  expect(await store.read(RUN, 0)).toEqual({ record: { by: 'withdrawn' }, verdict: end });
});

it('takes the claims of a large array together', async () => {
  await store.make(RUN);
  const taken = await store.take(
    RUN,
    Array.from({ length: 2500 }, (_, task) => task),
    'withdrawn',
  );
  expect([...taken.values()].every(({ won }) => won)).toBe(true);
  expect(taken.size).toBe(2500);
});

it('takes nothing where there is no directory, and reads nothing', async () => {
  await expect(store.take(RUN, [0], 'withdrawn')).rejects.toThrow();
  expect(await store.read(RUN, 0)).toBe(null);
});

it('believes what is there, not what link says', async () => {
  await store.make(RUN);
  // As NFS does when the answer to the first try was lost: the link is made, the retry says EEXIST.
  const [taken] = await Promise.all([store.take(RUN, [0], 'withdrawn')]);
  expect(taken.get(0)!.won).toBe(true);
  linkSync(file('0'), file('1'));
  expect((await store.take(RUN, [1], 'withdrawn')).get(1)!.won).toBe(false);
  expect(readFileSync(file('0'), 'utf8')).toMatch(/^withdrawn agent 0 \S+ \d+ \d+\nkey \S+\n$/);
});

it("takes times that a shell could not tell from the file and the node's uptime", async () => {
  await store.make(RUN);
  const lines = 'claim 55 0 n7 0 12\nkey k\nstart 0\nuptime 100.25\n';
  writeFileSync(file('0'), lines);
  utimesSync(file('0'), 1_700_000_000, 1_700_000_000);
  expect(await store.read(RUN, 0)).toMatchObject({ record: { startedAtMs: 1_700_000_000_000, end: null } });
  writeFileSync(file('0'), `${lines}uptime 160.75\nend 0 0 0 0\n`);
  utimesSync(file('0'), 1_700_000_100, 1_700_000_100);
  expect(await store.read(RUN, 0)).toMatchObject({
    record: { startedAtMs: 1_700_000_039_500, end: { code: 0, endedAtMs: 1_700_000_100_000 } },
  });
});
