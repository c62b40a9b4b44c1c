import { place } from '@switchyard/core/placement/place.ts';
import type { ClusterView, WaitingJob } from '@switchyard/core/placement/snapshot.ts';
import { cluster, job, NOW, pool, report, SETTINGS } from '@switchyard/core/placement/testing/build-snapshot.ts';
import { expect, test } from 'vitest';
import { runsToWithdraw } from './rebalance.ts';

const settings = { ...SETTINGS, withdrawAfterSeconds: 60 };
const busy = cluster('busy', { waitingTasks: 3 });
const idle = cluster('idle');

function run(runId: string, waitedSeconds: number, itsJob: WaitingJob = job()) {
  return { runId, cluster: 'busy', placedAtMs: NOW - waitedSeconds * 1000, job: itsJob };
}

function withdrawn(waiting: ReturnType<typeof run>[], clusters: ClusterView[], changed = {}) {
  return runsToWithdraw({ waiting, clusters }, NOW, { ...settings, ...changed }, place);
}

test('a run that waits too long goes where it could start now', () => {
  expect(withdrawn([run('a', 61)], [busy, idle])).toEqual(['a']);
});

test('off unless a site asks for it', () => {
  expect(withdrawn([run('a', 9999)], [busy, idle], { withdrawAfterSeconds: null })).toEqual([]);
});

test('a short wait is left alone', () => {
  expect(withdrawn([run('a', 59)], [busy, idle])).toEqual([]);
});

test('one per idle cluster and look, the longest wait first, then by id', () => {
  expect(withdrawn([run('c', 70), run('b', 80), run('a', 70)], [busy, idle])).toEqual(['b']);
  expect(withdrawn([run('c', 70), run('b', 80), run('a', 70)], [busy, idle, cluster('other')])).toEqual(['b', 'a']);
});

test.each([
  ['only its own cluster is left', [busy]],
  ['the other holds work of ours that waits', [busy, cluster('idle', { waitingTasks: 1 })]],
  ['the other is cordoned', [busy, cluster('idle', { admission: 'cordoned' })]],
  ['its own cluster is out of sight', [cluster('busy', { connected: false }), idle]],
  [
    'the other is full',
    [busy, cluster('idle', { report: report([pool({ free: { nodes: 0, cpus: 0, memoryMiB: 0, gpus: 0 } })]) })],
  ],
])('nothing moves when %s', (_, clusters) => {
  expect(withdrawn([run('a', 61)], clusters)).toEqual([]);
});

test('nothing moves where the job may not go', () => {
  const bound = job({ constraints: { clusters: ['busy'] } });
  expect(withdrawn([run('a', 61, bound)], [busy, idle])).toEqual([]);
});
