import { beforeEach, expect, test, vi } from 'vitest';
import { KubeError, type KubeErrorKind } from '../client/kube-error.ts';
import { makeRun } from '../facts/testing/make-facts.ts';
import { inBackground, isRested } from './background.ts';
import { type KubeState, type Tracked, track } from './kube-state.ts';

let nowMs = 0;
let said: string[] = [];
const state = {
  ...{ now: () => nowMs, warn: (sentence: string) => said.push(sentence), closed: false },
  ...{ dirty: new Set<string>(), wake: () => {} },
} as unknown as KubeState;

beforeEach(() => {
  nowMs = Date.now();
  said = [];
});

/** How many seconds it rests after the work ended so. */
async function rest(run: Tracked, end: KubeErrorKind | 'well'): Promise<number> {
  inBackground(state, run, 'confirm', async () => {
    const sentence = `jobs "job-${Math.random()}" is forbidden: the agent cannot get jobs`;
    if (end !== 'well') throw new KubeError({ kind: end, asked: 'GET /jobs', sentence });
  });
  await vi.waitFor(() => expect(run.busy.size).toBe(0));
  const startMs = nowMs;
  while (!isRested(run, 'confirm', nowMs)) nowMs += 100;
  return (nowMs - startMs) / 1000;
}

test('what the cluster refuses is asked for ever less often, at most once a minute in the end', async () => {
  const run = track(makeRun());
  const rests: number[] = [];
  for (let tries = 0; tries < 7; tries += 1) rests.push(await rest(run, 'forbidden'));
  expect(rests).toEqual([2, 4, 8, 16, 32, 60, 60]);
  await rest(run, 'well');
  expect(await rest(run, 'forbidden')).toBe(2);
});

test('what only failed is tried again soon', async () => {
  const run = track(makeRun());
  expect([await rest(run, 'timeout'), await rest(run, 'timeout'), await rest(run, 'timeout')]).toEqual([2, 2, 2]);
});

test('of many runs whose namespace refuses everything the same is said', async () => {
  for (let runs = 0; runs < 3; runs += 1) await rest(track(makeRun()), 'forbidden');
  expect(new Set(said).size).toBe(1);
  expect(said[0]).toBe("the cluster refuses what runs in namespace 'jobs' need (confirm): the agent cannot get jobs");
});
