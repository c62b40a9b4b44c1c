import type { Job, KubeList, Pod } from '@switchyard/agent-k8s/api-types.ts';
import { kubernetesConfigSchema } from '@switchyard/agent-k8s/config.ts';
import { jobManifest } from '@switchyard/agent-k8s/manifest/job-manifest.ts';
import { withStartGate } from '@switchyard/agent-k8s/start/start-claim.ts';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeOrder, uuidV7 } from '../behaviour/make-order.ts';
import { until } from '../support/until.ts';
import { KubeRuns } from './kube-runs.ts';
import { JOBS, type KubeWorld, kubeWorld } from './kube-world.ts';
import { kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();
const JOBS_PATH = `/apis/batch/v1/namespaces/${JOBS}/jobs`;
const PODS_PATH = `/api/v1/namespaces/${JOBS}/pods`;

/** Jobs and pods of others, some of which look like ours: never touched, whatever is asked of the agent. */
describe.skipIf(!kubernetes.ok)(`foreign objects on a real Kubernetes (${kubernetes.why})`, () => {
  let world: KubeWorld;
  let runs: KubeRuns;

  beforeAll(async () => {
    world = await kubeWorld('foreign');
    runs = await KubeRuns.open(world);
  });
  afterAll(async () => {
    await runs?.close();
    await world?.close();
  });

  const get = async <T>(path: string) => (await world.kube.api<T>('GET', path)).body;
  const securityContext = { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } };
  const container = () => ({
    ...{ name: 'main', image: world.kube.image, command: ['sleep', '3600'] },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  });
  const pod = (metadata: object) => ({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: JOBS, ...metadata } },
    spec: { restartPolicy: 'Never', securityContext, terminationGracePeriodSeconds: 1, containers: [container()] },
  });
  const job = (metadata: object) => ({
    ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: { namespace: JOBS, ...metadata } },
    spec: { template: { spec: { restartPolicy: 'Never', securityContext, containers: [container()] } } },
  });
  const labelsOf = (runId: string) => ({
    'app.kubernetes.io/managed-by': 'switchyard',
    ...{ 'switchyard.dev/federation': 'test', 'switchyard.dev/run': runId, 'switchyard.dev/job': '1' },
  });
  /** What is there, with what would change if somebody touched it. */
  const alive = async (path: string) => {
    const { items } = await get<KubeList<Job | Pod>>(path);
    return new Map(
      items.map(({ metadata }) => [metadata.name, `${metadata.uid} ${metadata.deletionTimestamp ?? 'stays'}`]),
    );
  };

  it('a pod that wears the labels of a run but belongs to no Job of ours is not its pod', async () => {
    const order = await runs.submit('while [ ! -e go-1 ]; do sleep 0.2; done; exit 3');
    await runs.started(order);
    const { metadata } = await get<Job>(`${JOBS_PATH}/${order.marker}`);
    const owner = { apiVersion: 'batch/v1', kind: 'Job', name: order.marker, uid: uuidV7(), controller: true };
    await world.kube.apply([
      pod({ name: 'plain' }),
      pod({ name: 'labelled', labels: { ...labelsOf(order.runId), 'batch.kubernetes.io/controller-uid': uuidV7() } }),
      // The collector of garbage takes it for an orphan, unless it is told not to.
      pod({
        name: 'wrong-uid',
        labels: labelsOf(order.runId),
        ownerReferences: [owner],
        finalizers: ['test.example/keep'],
      }),
    ]);
    expect(metadata.uid).not.toBe(owner.uid);
    await until('the foreign pods run', async () => {
      const { items } = await get<KubeList<Pod>>(PODS_PATH);
      return items.filter(({ status }) => status?.phase === 'Running').length >= 3;
    });
    await world.kube.kubectl(['-n', JOBS, 'exec', 'labelled', '--', 'true']);
    const before = await alive(PODS_PATH);
    await runs.backend.cancel(order.runId);
    expect(await runs.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_by_user' });
    expect(await runs.backend.forget([order.runId])).toEqual([order.runId]);
    await until('our Job is gone', async () => !(await alive(JOBS_PATH)).has(order.marker));
    const after = await alive(PODS_PATH);
    for (const name of ['plain', 'labelled']) expect(after.get(name)).toBe(before.get(name));
  });

  it('a Job that has the name of a run is not touched, and the run is refused', async () => {
    const order = runs.order('exit 0');
    await world.kube.apply([job({ name: order.marker })]);
    const before = await alive(JOBS_PATH);
    const status = await runs.offer(order);
    expect(status.ends).toMatchObject([{ outcome: 'refused', reason: 'rejected' }]);
    expect(status.ends[0]!.detail).toContain('foreign Job');
    await runs.backend.cancel(order.runId);
    await runs.backend.withdraw(order.runId);
    await runs.backend.forget([order.runId]);
    await runs.backend.cancelStray({ nativeId: `${JOBS}/${order.marker}`, runId: order.runId });
    await runs.look();
    expect((await alive(JOBS_PATH)).get(order.marker)).toBe(before.get(order.marker));
  });

  it('a Job with our labels whose order is of another spec is not taken for ours', async () => {
    const first = await runs.submit('exit 0');
    await runs.ended(first);
    const other = { ...first, specHash: 'f'.repeat(64) };
    const another = await KubeRuns.open(world, { name: 'another-agent' });
    try {
      // The Job is there and known; the same run with another spec is a mistake of whoever offers it.
      expect((await another.offer(other)).ends).toMatchObject([{ outcome: 'succeeded' }]);
    } finally {
      await another.close();
    }
  });

  it('a marked Job of a run that cannot be read is shown as a stray, and goes only when the broker says so', async () => {
    const runId = uuidV7();
    const name = markerOf('test', runId);
    await world.kube.apply([job({ name, labels: labelsOf(runId), annotations: { 'switchyard.dev/order': '{}' } })]);
    const nativeId = `${JOBS}/${name}`;
    const strays = await until('it is shown', async () => {
      const sight = await runs.backend.observe();
      return sight.strays.some((stray) => stray.nativeId === nativeId) && sight.strays;
    });
    expect(strays.find((stray) => stray.nativeId === nativeId)).toMatchObject({ federation: 'test', runId });
    await runs.backend.cancelStray({ nativeId, runId: uuidV7() });
    expect((await alive(JOBS_PATH)).get(name)).toContain('stays');
    await runs.backend.cancelStray({ nativeId, runId });
    await until('it is gone', async () => !(await alive(JOBS_PATH)).has(name));
  });

  it('a Job that a run holds is never cancelled as a stray', async () => {
    const order = await runs.submit('while [ ! -e go-2 ]; do sleep 0.2; done');
    await runs.started(order);
    await runs.backend.cancelStray({ nativeId: `${JOBS}/${order.marker}`, runId: order.runId });
    await runs.look();
    expect((await alive(JOBS_PATH)).get(order.marker)).toContain('stays');
    await runs.backend.cancel(order.runId);
    await runs.ended(order);
  });

  it('a Job of another federation in the same namespace is neither adopted, nor let go, nor deleted', async () => {
    const other = await KubeRuns.open(world, { name: 'other-federation', federation: 'othr' });
    try {
      const theirs = await other.submit('while [ ! -e go-3 ]; do sleep 0.2; done');
      await other.started(theirs);
      // One that its own agent has not let go yet: nobody else may.
      const held = makeOrder({ command: ['true'] }, { federation: 'quit' });
      const config = kubernetesConfigSchema.parse({ namespace: JOBS, defaultImage: world.kube.image });
      const manifest = jobManifest(held, config, { cluster: 'elsewhere' });
      if ('refusal' in manifest) throw new Error(manifest.refusal);
      await world.kube.apply([withStartGate(manifest.job)]);
      const pods = (run: string) => get<KubeList<Pod>>(`${PODS_PATH}?labelSelector=switchyard.dev/run%3D${run}`);
      await until('it has its pod', async () => (await pods(held.runId)).items.length === 1);
      const before = await alive(JOBS_PATH);

      await runs.restart();
      const mine = await runs.submit('exit 0');
      await runs.ended(mine);
      const known = (await runs.backend.inventory(0)).map(({ order }) => order.runId);
      expect(known).toContain(mine.runId);
      for (const { marker, runId } of [theirs, held]) {
        expect(known).not.toContain(runId);
        await runs.backend.cancelStray({ nativeId: `${JOBS}/${marker}`, runId });
        expect((await alive(JOBS_PATH)).get(marker)).toBe(before.get(marker));
      }
      expect((await runs.backend.observe()).strays.map(({ federation }) => federation)).not.toContain('othr');
      expect((await pods(held.runId)).items).toMatchObject([{ spec: { schedulingGates: [{}] } }]);

      expect((await other.backend.inventory(0)).map(({ order }) => order.runId)).toEqual([theirs.runId]);
      await other.backend.cancel(theirs.runId);
      expect(await other.ended(theirs)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_by_user' });
      expect(await other.backend.forget([theirs.runId])).toEqual([theirs.runId]);
      await until('their own agent deletes it', async () => !(await alive(JOBS_PATH)).has(theirs.marker));
    } finally {
      await other.close();
    }
  });

  it('labels without a marker make nothing ours', async () => {
    await world.kube.apply([job({ name: 'wears-labels', labels: labelsOf(uuidV7()) })]);
    await runs.look();
    const { strays } = await runs.backend.observe();
    expect(strays.map(({ nativeId }) => nativeId)).not.toContain(`${JOBS}/wears-labels`);
    expect((await alive(JOBS_PATH)).get('wears-labels')).toContain('stays');
  });
});
