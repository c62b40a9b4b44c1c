import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@switchyard/agent-runtime/backend.ts';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeConfig, makeOrder } from '../manifest/testing/make-order.ts';
import { kubeBackend } from './kube-backend.ts';
import { fail, fakeCluster } from './testing/fake-cluster.ts';

// Younger than any state directory here: what is unknown of it can be taken back.
const runId = 'ffffffff-ffff-7000-8000-000000000001';
const order = makeOrder({ command: ['true'] }, { runId });
const PATH = '/apis/batch/v1/namespaces/default/jobs';

let stateDir = '';
let nowMs = Date.now();
let cluster = fakeCluster();
let backend: Backend;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-k8s-'));
  cluster = fakeCluster();
  nowMs = Date.now();
  backend = await open();
  nowMs += 100_000;
});

afterEach(async () => {
  await backend.close();
  rmSync(stateDir, { recursive: true });
});

function open(): Promise<Backend> {
  const { client } = cluster;
  return kubeBackend({ client, config: makeConfig(), stateDir, cluster: 'k', federation: 'test', now: () => nowMs });
}

/** The create is carried out, or will be, and nobody hears of it: the watch is late too. */
function loseCreate(isCarriedOut: boolean): void {
  cluster.answerWith((what) => {
    if (what.verb !== 'POST') return undefined;
    if (isCarriedOut) cluster.put(`${PATH}/${order.marker}`, what.body as object, false);
    return fail(what, 'timeout', 0, true);
  });
}

function refuseCreate(): void {
  cluster.answerWith((what) => (what.verb === 'POST' ? fail(what, 'forbidden', 403) : undefined));
}

test('a quota that the lost create itself has used up refuses no run that exists', async () => {
  loseCreate(true);
  await expect(backend.submit(order, { observedBefore: false })).rejects.toThrow('timeout');
  refuseCreate();
  const status = await backend.submit(order, { observedBefore: false });
  expect(status).toMatchObject({ placed: true, ends: [] });
});

test('a refusal counts only when no earlier create can arrive any more', async () => {
  loseCreate(false);
  await expect(backend.submit(order, { observedBefore: false })).rejects.toThrow('timeout');
  refuseCreate();
  await expect(backend.submit(order, { observedBefore: false })).rejects.toThrow('may still arrive');
  nowMs += 100_000;
  const status = await backend.submit(order, { observedBefore: false });
  expect(status.ends).toMatchObject([{ outcome: 'refused' }]);
});

test('what may still arrive is not withdrawn as unknown', async () => {
  loseCreate(false);
  await expect(backend.submit(order, { observedBefore: false })).rejects.toThrow('timeout');
  await expect(backend.withdraw(runId)).rejects.toThrow('may still arrive');
  nowMs += 100_000;
  expect((await backend.withdraw(runId)).ends).toMatchObject([{ outcome: 'withdrawn' }]);
});

test('a fresh process does not know what the one before it has sent', async () => {
  await backend.close();
  backend = await open();
  await expect(backend.withdraw(runId)).rejects.toThrow('may still arrive');
  nowMs += 100_000;
  expect((await backend.withdraw(runId)).ends).toMatchObject([{ outcome: 'withdrawn' }]);
});

test('a run that the broker has heard of is never made again, whatever a later Offer says', async () => {
  await backend.submit(order, { observedBefore: true });
  expect(await backend.submit(order, { observedBefore: false })).toMatchObject({ placed: false });
  expect(cluster.asked.filter((each) => each.startsWith('POST'))).toEqual([]);
});
