import { appendFileSync, chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, KubeList, Pod } from '@switchyard/agent-k8s/api-types.ts';
import { checkCluster } from '@switchyard/agent-k8s/backend/check-cluster.ts';
import { openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { kubernetesConfigSchema } from '@switchyard/agent-k8s/config.ts';
import type { CheckRow } from '@switchyard/agent-runtime/agent-kind.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { KubeRuns } from './kube-runs.ts';
import { CPUS, JOBS, type KubeWorld, kubeWorld } from './kube-world.ts';
import { kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();
const ALL = { cpusPerTask: CPUS, walltimeSeconds: 300 };

/** What only a Kubernetes has: jobs of several nodes, names that are taken, rights. */
describe.skipIf(!kubernetes.ok)(`only on a real Kubernetes (${kubernetes.why})`, () => {
  let world: KubeWorld;
  let runs: KubeRuns;

  beforeAll(async () => {
    world = await kubeWorld('only', (kube) => kube.startDns());
    runs = await KubeRuns.open(world, { config: { gangSeconds: 8, defaultPool: 'both' } });
  });
  afterAll(async () => {
    await runs?.close();
    await world?.close();
  });

  const list = async <T>(path: string) => (await world.kube.api<KubeList<T>>('GET', path)).body.items;
  const podsOf = (runId: string) =>
    list<Pod>(`/api/v1/namespaces/${JOBS}/pods?labelSelector=switchyard.dev/run=${runId}`);
  const empty = (name: string) => {
    const file = join(runs.folder, name);
    appendFileSync(file, '');
    chmodSync(file, 0o666);
    return file;
  };

  it('a job of two nodes: rank 1 speaks to rank 0 by name, and neither starts before both are up', async () => {
    const heard = empty('heard');
    const order = await runs.submit(
      `if [ "$YARD_NODE_RANK" = 0 ]; then
         (echo "hello from rank 0" | timeout 60 nc -l -p 7777) && exit 0
         exit 9
       fi
       first=\${YARD_NODELIST%% *}; first=\${first%%,*}
       for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
         address=$(nslookup "$first.${JOBS}.svc.cluster.local" 2>/dev/null | awk '/^Address/ {found=$NF} END {print found}')
         said=$(timeout 5 nc "$address" 7777 </dev/null) && [ -n "$said" ] && break
         sleep 1
       done
       echo "$said to rank $YARD_NODE_RANK of $YARD_NODES" >>${heard}
       [ -n "$said" ]`,
      { resources: { nodes: 2, ...ALL } },
    );
    const end = await runs.ended(order, 120_000);
    expect(end).toMatchObject({ outcome: 'succeeded', exitCode: 0 });
    expect(readFileSync(heard, 'utf8')).toBe('hello from rank 0 to rank 1 of 2\n');
    expect(runs.starts(order)).toBe(2);
    const pods = await podsOf(order.runId);
    expect(new Set(pods.map(({ spec }) => spec.nodeName)).size).toBe(2);
    const goAt = pods.map(({ metadata }) => Date.parse(metadata.annotations?.['switchyard.dev/go'] ?? ''));
    const startedAt = pods.map(({ status }) =>
      Date.parse(status!.containerStatuses![0]!.state!.terminated!.startedAt!),
    );
    expect(Math.min(...goAt)).toBeGreaterThanOrEqual(Math.max(...startedAt));
  });

  it('the end of a job of two nodes is that of the node that failed first', async () => {
    const order = await runs.submit('[ "$YARD_NODE_RANK" = 1 ] && exit 6; while :; do sleep 0.2; done', {
      resources: { nodes: 2 },
    });
    expect(await runs.ended(order, 120_000)).toMatchObject({ outcome: 'failed', reason: 'exit_code', exitCode: 6 });
  });

  it('each rank of a job has an output of its own', async () => {
    const order = await runs.submit('echo "rank $YARD_NODE_RANK"', { resources: { nodes: 2 } });
    await runs.ended(order, 120_000);
    for (const rank of [0, 1]) {
      const request = {
        runId: order.runId,
        task: 0,
        rank,
        stream: 'stdout',
        offset: 0,
        limitBytes: 99,
        waitMs: 5000,
      } as const;
      expect(Buffer.from((await runs.backend.readLog(request)).data).toString()).toBe(`rank ${rank}\n`);
    }
  });

  it('a gang that cannot be whole is given back, with the reason, and nothing of it has run', async () => {
    const blocker = await runs.submit(
      'while [ ! -e go-blocker ]; do sleep 0.2; done',
      { resources: ALL },
      { pool: 'one' },
    );
    await runs.started(blocker);
    const order = await runs.submit('exit 0', { resources: { nodes: 2, ...ALL } });
    const waiting = await runs.until(order, 'it says what is missing', ({ nativeReason }) =>
      /1 of 2 pods are up/.test(nativeReason),
    );
    expect(waiting.started).toBe('');
    const end = await runs.ended(order, 120_000);
    expect(end).toMatchObject({ outcome: 'refused', reason: 'rejected' });
    expect(end.detail).toMatch(/1 of 2 pods are up; .*nodes are available/);
    expect(runs.starts(order)).toBe(0);
    appendFileSync(join(runs.folder, 'go-blocker'), '');
    expect(await runs.ended(blocker)).toMatchObject({ outcome: 'succeeded' });
  });

  it('what runs on in a namespace that is no longer in the file takes its room', async () => {
    const freeCpus = async () => (await runs.backend.capacity()).pools.find(({ name }) => name === 'both')!.free.cpus;
    await until('all is free', async () => (await freeCpus()) === 2 * CPUS, { timeoutMs: 60_000, everyMs: 200 });
    const labels = { 'switchyard.dev/federation': 'test' };
    const container = { name: 'main', image: world.kube.image, command: ['sleep', '60'] };
    const resources = { requests: { cpu: '1' } };
    await world.kube.apply([
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'former' } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'former' } },
      {
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'one', namespace: 'former', labels } },
        spec: { nodeName: 'n2', restartPolicy: 'Never', containers: [{ ...container, resources }] },
      },
    ]);
    await until('its CPU is taken', async () => (await freeCpus()) === 2 * CPUS - 1, { everyMs: 200 });
    await world.kube.api('DELETE', '/api/v1/namespaces/former/pods/one?gracePeriodSeconds=0');
    await until('it is free again', async () => (await freeCpus()) === 2 * CPUS, { timeoutMs: 60_000, everyMs: 200 });
  });

  it('a gang that waits is withdrawn whole', async () => {
    const blocker = await runs.submit(
      'while [ ! -e go-blocker-2 ]; do sleep 0.2; done',
      { resources: ALL },
      { pool: 'one' },
    );
    await runs.started(blocker);
    const order = await runs.submit('exit 0', { resources: { nodes: 2, ...ALL } });
    await runs.until(order, 'half of it is up', ({ nativeReason }) => /1 of 2 pods are up/.test(nativeReason));
    expect((await runs.backend.withdraw(order.runId)).ends).toMatchObject([{ outcome: 'withdrawn' }]);
    appendFileSync(join(runs.folder, 'go-blocker-2'), '');
    await runs.ended(blocker);
    await until('its pods have ended', async () => {
      const pods = await podsOf(order.runId);
      return pods.every(({ status }) => status?.phase === 'Failed');
    });
    expect(runs.starts(order)).toBe(0);
  });

  it('a run is cancelled by its user although the agent was away when its pods ended', async () => {
    const order = await runs.submit('while :; do sleep 0.2; done');
    await runs.started(order);
    await runs.backend.cancel(order.runId);
    await runs.restart();
    expect(await runs.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_by_user' });
  });

  it('a withdrawal survives the agent that made it', async () => {
    const blocker = await runs.submit(
      'while [ ! -e go-blocker-3 ]; do sleep 0.2; done',
      { resources: ALL },
      { pool: 'one' },
    );
    await runs.started(blocker);
    const order = await runs.submit('exit 0', { resources: ALL }, { pool: 'one' });
    await runs.backend.withdraw(order.runId);
    await runs.restart();
    expect(await runs.ended(order)).toMatchObject({ outcome: 'withdrawn' });
    appendFileSync(join(runs.folder, 'go-blocker-3'), '');
    await runs.ended(blocker);
    expect(runs.starts(order)).toBe(0);
  });

  it('an agent with an empty state directory adopts what is there', async () => {
    const order = await runs.submit('while [ ! -e go-adopted ]; do sleep 0.2; done; exit 4');
    await runs.started(order);
    const other = await KubeRuns.open(world, { name: 'fresh' });
    try {
      const status = await other.backend.submit(order, { observedBefore: true });
      expect(status).toMatchObject({ placed: true, started: '0', nativeId: `${JOBS}/${order.marker}` });
      appendFileSync(join(runs.folder, 'go-adopted'), '');
      expect(await other.ended(order)).toMatchObject({ outcome: 'failed', exitCode: 4 });
    } finally {
      await other.close();
    }
    expect(await runs.ended(order)).toMatchObject({ outcome: 'failed', exitCode: 4 });
  });

  it('what is forgotten leaves nothing in the cluster', async () => {
    const order = await runs.submit('exit 0', { resources: { nodes: 2 } });
    await runs.ended(order, 120_000);
    expect(await runs.backend.forget([order.runId])).toEqual([order.runId]);
    await until('its objects are gone', async () => {
      const kinds = ['pods', 'services'].map((kind) => `/api/v1/namespaces/${JOBS}/${kind}`);
      const paths = [`/apis/batch/v1/namespaces/${JOBS}/jobs`, ...kinds];
      const all = await Promise.all(
        paths.map((path) => list<Job>(`${path}?labelSelector=switchyard.dev/run=${order.runId}`)),
      );
      return all.flat().length === 0;
    });
  });

  describe('the check of an agent', () => {
    const check = async (kubeconfig: string): Promise<CheckRow[]> => {
      const config = kubernetesConfigSchema.parse({
        namespace: JOBS,
        volumes: { work: { claim: 'work', mountPath: '/work' } },
      });
      const client = await openKubeClient({ kubeconfig });
      try {
        return await Array.fromAsync(checkCluster(client, config));
      } finally {
        await client.close();
      }
    };

    it('finds that the shipped rights are all that is needed', async () => {
      const rows = await check(await world.kube.kubeconfigFor('switchyard', 'switchyard-agent'));
      expect(rows.filter(({ ok }) => !ok)).toEqual([]);
      expect(rows.map(({ found }) => found)).toContain('there; enforces Pod Security restricted');
      expect(rows.filter(({ what }) => what.startsWith('rights '))).toHaveLength(2);
    });

    it('names each right that is missing, and where it is to be had', async () => {
      const rows = await check(await world.kube.kubeconfigFor('switchyard', 'nobody'));
      const missing = rows.filter(({ ok }) => !ok);
      expect(missing.map(({ what }) => what)).toContain(
        `right to get, list, watch, create, patch, delete jobs in ${JOBS}`,
      );
      expect(missing.every(({ advice }) => advice.includes('deploy/kubernetes/agent/rbac.yaml'))).toBe(true);
    });
  });
});
