import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openKubeClient } from '../client/kube-client.ts';
import { kubernetesConfigSchema } from '../config.ts';
import { kubeBackend } from './kube-backend.ts';

const folder = mkdtempSync(join(tmpdir(), 'yard-no-kube-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('opens without an API server, says so whenever it is asked, and closes', async () => {
  const kubeconfig = join(folder, 'kubeconfig');
  const parts = {
    clusters: [{ name: 'none', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'me', user: { token: 'secret' } }],
    contexts: [{ name: 'none', context: { cluster: 'none', user: 'me' } }],
  };
  writeFileSync(kubeconfig, JSON.stringify({ apiVersion: 'v1', kind: 'Config', 'current-context': 'none', ...parts }));
  const config = kubernetesConfigSchema.parse({ kubeconfig });
  const client = await openKubeClient(config);
  const backend = await kubeBackend({
    ...{ client, config, stateDir: join(folder, 'state'), cluster: 'here', federation: 'test' },
    patience: { firstListsMs: 100 },
  });
  const runId = '01a1ff19-16c8-7026-96bb-58d7ef226b3a';
  await expect(backend.observe()).rejects.toThrow('Jobs and pods have not been listed yet');
  await expect(backend.inventory(0)).rejects.toThrow();
  await expect(backend.withdraw(runId)).rejects.toThrow();
  await expect(backend.cancel(runId)).rejects.toThrow();
  expect(backend.nextObserveMs()).toBeGreaterThan(0);
  await backend.close();
});
