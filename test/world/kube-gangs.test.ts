import { JOB_LABEL } from '@switchyard/agent-k8s/names.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  JOBS,
  type KubeSite,
  payload,
  SHARED,
  type SharedFolder,
  sharedFolder,
  startKubeSite,
} from '../k8s/kube-site.ts';
import { kubernetesAvailable } from '../k8s/testbed.ts';
import { ENDED } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { until } from '../support/until.ts';

const kubernetes = kubernetesAvailable();
const PODS = `/api/v1/namespaces/${JOBS}/pods`;
const CPUS = 4;

type Pods = { items: { metadata: { name: string; labels: Record<string, string> }; spec: { nodeName?: string } }[] };

/** Kubernetes knows pods and not gangs: two of them can each get half of what both need. */
describe.skipIf(!kubernetes.ok)(`jobs of several nodes in each other's way (${kubernetes.why})`, () => {
  let shared: SharedFolder;
  let site: KubeSite;
  let federation: Federation;

  beforeAll(async () => {
    shared = sharedFolder();
    site = await startKubeSite({ name: 'gangs' }, shared);
    await Promise.all(['n1', 'n2'].map((name) => site.kube.addNode(name, { cpus: CPUS, memoryMiB: 4000 })));
    federation = await startFederation();
    await federation.addCluster('kube', await site.settings());
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    await site?.close();
    shared?.remove();
  });

  test('the younger gives its node back long before its time is up, and both run', async () => {
    const { api } = federation;
    const { kube } = site;
    const ledger = shared.ledger('gangs');
    const job = (body: string, nodes: number) => ({
      script: `#!/bin/sh\nexport YARD_TASK_INDEX=\${YARD_NODE_RANK:-0}\n${payload(ledger, body)}`,
      resources: { nodes, cpusPerTask: CPUS, memoryMiBPerNode: 32, walltimeSeconds: 600 },
      needs: [SHARED],
    });
    const blockers = await api.submitMany([job('sleep 600', 1), job('sleep 600', 1)]);
    await until('both nodes are taken', () => ledger.starts().size === 2, { timeoutMs: 60_000 });
    const gangs = await api.submitMany([job(':', 2), job(':', 2)]);
    const podsOf = async (number: number) => {
      const { items } = (await kube.api<Pods>('GET', `${PODS}?labelSelector=${JOB_LABEL}%3D${number}`)).body;
      return items;
    };
    for (const { number } of gangs)
      await until(`gang ${number} waits`, async () => (await podsOf(number)).length === 2, { timeoutMs: 60_000 });

    expect((await kube.kubectl(['cordon', 'n1', 'n2'])).code).toBe(0);
    for (const { number } of blockers) await api.call('POST', `/v1/jobs/${number}/cancel`, {});
    await until(
      'both nodes are free',
      async () => (await api.jobs()).filter(({ state }) => state === 'cancelled').length === 2,
      {
        timeoutMs: 60_000,
      },
    );
    for (const [at, { number }] of gangs.toReversed().entries()) {
      const [{ metadata }] = (await podsOf(number)) as [Pods['items'][0]];
      const target = { apiVersion: 'v1', kind: 'Node', name: `n${at + 1}` };
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: metadata.name }, target };
      // A gate that is still there is taken away in a moment.
      await until(
        `a pod of gang ${number} is bound`,
        async () => (await kube.api('POST', `${PODS}/${metadata.name}/binding`, binding)).status === 201,
        { timeoutMs: 30_000 },
      );
    }
    expect((await kube.kubectl(['uncordon', 'n1', 'n2'])).code).toBe(0);

    const jobs = await until(
      'both gangs end',
      async () => {
        const now = await Promise.all(gangs.map(({ number }) => api.job(number)));
        return now.every(({ state }) => ENDED.has(state)) && now;
      },
      { timeoutMs: 150_000, describe: async () => [await api.job(gangs[0]!.number), await api.job(gangs[1]!.number)] },
    );
    expect(jobs.map(({ state, runs }) => [state, runs.length])).toEqual([
      ['succeeded', 1],
      ['succeeded', 2],
    ]);
    expect(jobs[1]!.runs[0]).toMatchObject({ outcome: 'withdrawn' });
    expect(jobs[1]!.runs[0]!.ends[0]?.detail).toContain(`job ${gangs[0]!.number} waits for their nodes`);
    expect(ledger.startedTwice()).toEqual([]);
    expect(ledger.starts().size).toBe(6);
  }, 400_000);
});
