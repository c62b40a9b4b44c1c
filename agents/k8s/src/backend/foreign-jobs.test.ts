import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@switchyard/agent-runtime/backend.ts';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Job } from '../api-types.ts';
import { jobManifest } from '../manifest/job-manifest.ts';
import { jobIn, makeConfig, makeOrder } from '../manifest/testing/make-order.ts';
import { FEDERATION_LABEL } from '../names.ts';
import { START_GATE, withStartGate } from '../start/start-claim.ts';
import { kubeBackend } from './kube-backend.ts';
import { fakeCluster } from './testing/fake-cluster.ts';

const order = makeOrder({ command: ['true'] });
const JOBS = '/apis/batch/v1/namespaces/default/jobs';
const PODS = '/api/v1/namespaces/default/pods';
const PATH = `${JOBS}/${order.marker}`;
const gated = { spec: { schedulingGates: [{ name: START_GATE }] } };

let stateDir = '';
let cluster = fakeCluster();
let backend: Backend;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-k8s-'));
  cluster = fakeCluster();
  backend = await open();
});

function open(): Promise<Backend> {
  const patience = { secondLookMs: 20, lateCreateMs: 0 };
  const where = { stateDir, cluster: 'k', federation: 'test' };
  return kubeBackend({ client: cluster.client, config: makeConfig(), ...where, patience });
}

afterEach(async () => {
  await backend.close();
  rmSync(stateDir, { recursive: true });
});

test('a foreign Job of the name of a lost run is not taken for it, and not touched', async () => {
  cluster.put(PATH, { metadata: { name: order.marker, namespace: 'default' }, spec: { template: { spec: {} } } });
  await backend.submit(order, { observedBefore: true });
  await vi.waitFor(async () =>
    expect((await backend.inventory(0))[0]?.status).toMatchObject({ placed: false, ends: [{ reason: 'unknown_end' }] }),
  );
  await backend.forget([order.runId]);
  await backend.observe();
  expect(cluster.asked.filter((each) => !each.startsWith('GET'))).toEqual([]);
});

test('a run that cannot be followed keeps no other from it', async () => {
  const other = makeOrder({ command: ['true'] }, { runId: '01900000-0000-7000-8000-000000000002' });
  await backend.submit(order, { observedBefore: false });
  await backend.submit(other, { observedBefore: false });
  await backend.observe();
  const job = cluster.get(PATH) as unknown as Job;
  // What no version of this API ever had.
  cluster.putPod(job, 'odd', { spec: { nodeName: 'n' }, status: { phase: 'Failed', reason: 'Evicted', message: 5 } });
  const path = PATH.replace(order.marker, other.marker);
  cluster.put(path, { status: { conditions: [{ type: 'Complete', status: 'True' }] } });
  await vi.waitFor(async () =>
    expect(
      (await backend.inventory(0)).find(({ order: { runId } }) => runId === other.runId)?.status.ends,
    ).toMatchObject([{ outcome: 'succeeded' }]),
  );
});

test('a Job of another federation is neither adopted nor let go nor deleted, seen by a watch or by a list', async () => {
  const runId = '01900000-0000-7000-8000-0000000000aa';
  const marker = markerOf('othr', runId);
  const theirs = jobIn(
    jobManifest(makeOrder({ command: ['true'] }, { runId, marker }), makeConfig(), { cluster: 'k' }),
  );
  const job = cluster.put(`${JOBS}/${marker}`, withStartGate(theirs)) as unknown as Job;
  cluster.putPod(job, 'theirs', gated);
  await backend.submit(order, { observedBefore: false });
  const mine = cluster.putPod(cluster.get(PATH) as unknown as Job, 'mine', gated);
  await vi.waitFor(() => expect(cluster.asked).toContain(`PATCH ${PODS}/${mine.metadata.name}`));
  await backend.cancelStray({ nativeId: `default/${marker}`, runId });
  expect((await backend.inventory(0)).map((run) => run.order.runId)).toEqual([order.runId]);

  await backend.close();
  backend = await open();
  expect((await backend.inventory(0)).map((run) => run.order.runId)).toEqual([order.runId]);
  expect((await backend.observe()).strays).toEqual([]);
  expect(cluster.asked.filter((each) => !each.startsWith('GET'))).toEqual([
    `POST ${JOBS}`,
    `PATCH ${PODS}/${mine.metadata.name}`,
  ]);
});

test('a Job of the name of a run that another federation has put its label on is refused as foreign, and not touched', async () => {
  const ours = jobIn(jobManifest(order, makeConfig(), { cluster: 'k' }));
  const labels = { ...ours.metadata.labels, [FEDERATION_LABEL]: 'othr' };
  cluster.put(PATH, { ...ours, metadata: { ...ours.metadata, labels } });
  const { ends } = await backend.submit(order, { observedBefore: false });
  expect(ends).toMatchObject([{ outcome: 'refused', detail: expect.stringContaining('foreign Job') }]);
  expect(cluster.asked.filter((each) => !each.startsWith('GET'))).toEqual([`POST ${JOBS}`]);
});
