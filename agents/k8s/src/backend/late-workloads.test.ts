import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { makeConfig, makeOrder } from '../manifest/testing/make-order.ts';
import { kubeBackend } from './kube-backend.ts';
import { fakeCluster } from './testing/fake-cluster.ts';

const KUEUE = '/apis/kueue.x-k8s.io';
const order = makeOrder({ command: ['true'] });

test('a Workload that Kueue makes after its run was withdrawn and forgotten asks for no quota while its Job is kept', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'yard-k8s-'));
  const cluster = fakeCluster();
  cluster.answerWith(({ path }) => {
    if (path === KUEUE) return { versions: [{ version: 'v1beta1' }] };
    return path === `${KUEUE}/v1beta1` ? { resources: [{ name: 'workloads' }] } : undefined;
  });
  const { client } = cluster;
  const config = makeConfig({ queue: 'few' });
  const backend = await kubeBackend({ client, config, stateDir, cluster: 'k', federation: 'test' });
  await backend.submit(order, { observedBefore: false });
  expect((await backend.withdraw(order.runId)).ends).toMatchObject([{ outcome: 'withdrawn' }]);
  expect(await backend.forget([order.runId])).toEqual([order.runId]);

  // A process that began a moment ago deletes no Job.
  const job = cluster.get(`/apis/batch/v1/namespaces/default/jobs/${order.marker}`);
  const { name, uid } = job!.metadata;
  const owner = { apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true };
  const path = `${KUEUE}/v1beta1/namespaces/default/workloads/late`;
  cluster.put(path, {
    metadata: {
      ...{ name: 'late', namespace: 'default', ownerReferences: [owner] },
      labels: { 'kueue.x-k8s.io/job-uid': uid },
    },
    spec: { queueName: 'few' },
  });
  await vi.waitFor(() => expect(cluster.get(path)).toMatchObject({ spec: { active: false } }), 3000);
  await backend.close();
  rmSync(stateDir, { recursive: true });
});
