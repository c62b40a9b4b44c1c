import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { makeConfig } from '../manifest/testing/make-order.ts';
import { FEDERATION_LABEL, MANAGED_BY, MANAGED_BY_LABEL } from '../names.ts';
import { kubeBackend } from './kube-backend.ts';
import { fail, fakeCluster } from './testing/fake-cluster.ts';

test('a namespace that is deleted, and the rights in it, does not stop the others', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'yard-k8s-'));
  const cluster = fakeCluster();
  const config = makeConfig({ bindings: [{ group: 'astro', namespace: 'astro' }] });
  const patience = { silenceMs: 400 };
  const backend = await kubeBackend({
    client: cluster.client,
    config,
    stateDir,
    cluster: 'k',
    federation: 'test',
    patience,
  });
  const isLost = (path: string) => path.includes('/namespaces/astro/');
  cluster.answerWith((what) => (isLost(what.path) ? fail(what, 'forbidden', 403) : undefined));
  for (const kind of ['/apis/batch/v1/namespaces/astro/jobs', '/api/v1/namespaces/astro/']) cluster.cut(kind);
  const labels = { [MANAGED_BY_LABEL]: MANAGED_BY, [FEDERATION_LABEL]: 'test' };
  const talk = setInterval(() => {
    for (const kind of ['/apis/batch/v1/namespaces/default/jobs', '/api/v1/namespaces/default/pods'])
      cluster.put(`${kind}/other`, { metadata: { name: 'other', labels } });
    cluster.put('/api/v1/namespaces/default/events/other', { metadata: { name: 'other' } });
  }, 50);
  await delay(1000);
  await expect(backend.observe()).resolves.toMatchObject({ strays: [] });
  clearInterval(talk);
  await delay(600);
  await expect(backend.observe()).rejects.toThrow('has not been heard');
  await backend.close();
  rmSync(stateDir, { recursive: true });
});
