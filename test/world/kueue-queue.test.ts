import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RUN_LABEL } from '@switchyard/agent-k8s/names.ts';
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
import { yard } from '../k8s/yard.ts';
import { ENDED } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import type { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const kubernetes = kubernetesAvailable();
const API = '/apis/kueue.x-k8s.io/v1beta1';

/** A node that has room for all, behind a ClusterQueue that has quota for one job at a time. */
describe.skipIf(!kubernetes.ok)(`a queue of Kueue that fits one job of three (${kubernetes.why})`, () => {
  let shared: SharedFolder;
  let federation: Federation;
  let site: KubeSite;

  beforeAll(async () => {
    shared = sharedFolder();
    site = await startKubeSite({ name: 'kueue' }, shared);
    await Promise.all([site.kube.addNode('n1', { cpus: 8, memoryMiB: 16_000 }), site.kube.startKueue()]);
    const resources = [
      { name: 'cpu', nominalQuota: '1' },
      { name: 'memory', nominalQuota: '1Gi' },
    ];
    await site.kube.apply([
      queueObject('ResourceFlavor', 'metal', {}),
      queueObject('ClusterQueue', 'one', {
        namespaceSelector: {},
        resourceGroups: [{ coveredResources: ['cpu', 'memory'], flavors: [{ name: 'metal', resources }] }],
      }),
      queueObject('LocalQueue', 'team', { clusterQueue: 'one' }, JOBS),
    ]);
    federation = await startFederation();
    await federation.addCluster('kube', await site.settings({ queue: 'team' }));
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    await site?.close();
    shared?.remove();
  });

  test('three placed jobs run one after another, and yard show says which waits for what', async () => {
    const ledger = shared.ledger('three');
    const untilGo = job(ledger, 'while [ ! -e go ]; do sleep 0.2; done');
    const jobs = await federation.api.submitMany([untilGo, untilGo, untilGo]);
    const shown = new Map<number, string>();
    await until(
      'one runs and two wait at their places',
      async () => {
        for (const { number } of jobs) shown.set(number, (await yard(federation, 'show', String(number))).stdout);
        const words = [...shown.values()].map((text) => text.replaceAll(/\s+/g, ' '));
        const waits = (place: number) =>
          words.filter((text) => text.includes(`Queued (place ${place} in LocalQueue team; ${NO_QUOTA})`)).length === 1;
        return words.filter((text) => text.includes(' running ')).length === 1 && waits(1) && waits(2);
      },
      { everyMs: 100, describe: () => [...shown.values()] },
    );
    writeFileSync(join(shared.path, 'go'), '');
    for (const { number } of jobs) expect((await ended(number)).state).toBe('succeeded');
    expect(ledger.lines().map(({ word }) => word)).toEqual(['start', 'end', 'start', 'end', 'start', 'end']);
    expect(ledger.startedTwice()).toEqual([]);
    await until('no quota is used', async () => (await reservedCpus()) === 0);
  });

  test('a withdrawn waiting job leaves no Workload and no quota behind, and runs elsewhere', async () => {
    const ledger = shared.ledger('withdrawn');
    const first = await federation.api.submit(job(ledger, 'sleep 60'));
    await until('the first runs', () => ledger.starts().has(`${first.number}.0`));
    const second = await federation.api.submit(job(ledger));
    const run = await until('the second waits in the queue', async () => {
      const now = await federation.api.job(second.number);
      return now.nativeState === 'Queued' && now.runs[0];
    });
    const filesystems = [{ id: SHARED, pathPrefix: shared.path }];
    await federation.addCluster('here', { kind: 'local', local: { cpus: 2, memoryMiB: 2000 }, filesystems });
    await federation.connected();
    expect((await federation.api.call('POST', `/v1/runs/${run.id}/withdraw`)).status).toBe(202);

    const end = await ended(second.number);
    expect({ state: end.state, runs: end.runs.map(({ cluster, outcome }) => [cluster, outcome]) }).toEqual({
      state: 'succeeded',
      runs: [
        ['kube', 'withdrawn'],
        ['here', 'succeeded'],
      ],
    });
    expect(ledger.lines().map(({ number, cluster }) => [number, cluster])).toEqual([
      [first.number, 'kube'],
      [second.number, 'here'],
      [second.number, 'here'],
    ]);
    // While the first still runs: nothing waits, and only its own quota is used.
    await until('nothing waits', async () => (await clusterQueue()).status.pendingWorkloads === 0);
    expect(await reservedCpus()).toBe(1);
    await federation.api.call('POST', `/v1/jobs/${first.number}/cancel`, {});
    expect((await ended(first.number)).state).toBe('cancelled');
    await until('no quota is used', async () => (await reservedCpus()) === 0);
    // The Job is kept for a while, so that no late copy of its creation can make it again.
    const left = async () => [await workloadsOf(run.nativeId!), await jobsOf(run.id)];
    await until('its Job and its Workload are gone', async () => (await left()).flat().length === 0, {
      timeoutMs: 150_000,
      everyMs: 500,
      describe: left,
    });
  });

  function job(ledger: Ledger, body?: string) {
    return {
      script: `#!/bin/sh\n${payload(ledger, body)}`,
      resources: { cpusPerTask: 1, memoryMiBPerNode: 20, walltimeSeconds: 600 },
      workdir: shared.path,
      needs: [SHARED],
      stdout: '/dev/null',
    };
  }

  function ended(number: number) {
    return until(
      `job ${number} ends`,
      async () => {
        const now = await federation.api.job(number);
        return ENDED.has(now.state) && now;
      },
      { timeoutMs: 120_000, describe: async () => [await federation.api.job(number), federation.describe()] },
    );
  }

  type ClusterQueue = {
    status: {
      pendingWorkloads: number;
      flavorsReservation: { resources: { name: string; total: string }[] }[];
    };
  };

  async function clusterQueue(): Promise<ClusterQueue> {
    return (await site.kube.api<ClusterQueue>('GET', `${API}/clusterqueues/one`)).body;
  }

  async function reservedCpus(): Promise<number> {
    const { flavorsReservation } = (await clusterQueue()).status;
    return Number(flavorsReservation[0]?.resources.find(({ name }) => name === 'cpu')?.total);
  }

  type Named = { metadata: { name: string; uid: string; ownerReferences?: { name: string }[] } };

  async function jobsOf(runId: string): Promise<string[]> {
    const path = `/apis/batch/v1/namespaces/${JOBS}/jobs?labelSelector=${encodeURIComponent(`${RUN_LABEL}=${runId}`)}`;
    return (await site.kube.api<{ items: Named[] }>('GET', path)).body.items.map(({ metadata }) => metadata.name);
  }

  /** Also of a Job that is gone: the Workload carries its name. */
  async function workloadsOf(nativeId: string): Promise<string[]> {
    const { items } = (await site.kube.api<{ items: Named[] }>('GET', `${API}/namespaces/${JOBS}/workloads`)).body;
    return items
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith(`job-${nativeId.split('/')[1]}-`));
  }
});

const NO_QUOTA =
  "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor metal, 1 more needed";

function queueObject(kind: string, name: string, spec: object, namespace?: string): object {
  const metadata = { name, ...(namespace === undefined ? {} : { namespace }) };
  return { apiVersion: 'kueue.x-k8s.io/v1beta1', kind, metadata, spec };
}
