import type { Pod } from '@switchyard/agent-k8s/api-types.ts';
import { podEnd } from '@switchyard/agent-k8s/facts/pod-end.ts';
import { podFacts } from '@switchyard/agent-k8s/facts/pod-facts.ts';
import { CONTAINER } from '@switchyard/agent-k8s/names.ts';
import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { KubeRuns } from './kube-runs.ts';
import { CPUS, JOBS, type KubeWorld, kubeWorld } from './kube-world.ts';
import { type KubeNode, kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();
const LOST_SECONDS = 15;

type PodList = { items: { metadata: { name: string; uid: string }; spec: { nodeName?: string } }[] };

/** Every end that a run can have, produced for real: by a kubelet, a scheduler, a quota, or somebody with kubectl. */
describe.skipIf(!kubernetes.ok)(`ends on a real Kubernetes (${kubernetes.why})`, () => {
  let world: KubeWorld;
  let runs: KubeRuns;
  let doomed: KubeNode;

  beforeAll(async () => {
    world = await kubeWorld('ends');
    doomed = await world.kube.addNode('n3', { cpus: 2, labels: { pool: 'doomed' } });
    await world.kube.apply([
      { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'urgent' }, value: 1000 },
    ]);
    runs = await KubeRuns.open(world, {
      config: {
        ...{ imagePullSeconds: 5, lostNodeSeconds: LOST_SECONDS, allowedPriorityClasses: ['urgent'] },
        pools: {
          one: { nodeSelector: { pool: 'one' } },
          two: { nodeSelector: { pool: 'two' } },
          doomed: { nodeSelector: { pool: 'doomed' } },
          fickle: { nodeSelector: { fickle: 'yes' } },
          nowhere: { nodeSelector: { pool: 'nowhere' } },
        },
      },
    });
  });
  afterAll(async () => {
    await runs?.close();
    await world?.close();
  });

  const podOf = async (order: RunOrder): Promise<string> => {
    const path = `/api/v1/namespaces/${JOBS}/pods?labelSelector=switchyard.dev/run=${order.runId}`;
    return until('it has a pod', async () => (await world.kube.api<PodList>('GET', path)).body.items[0]?.metadata.name);
  };
  const kubectl = async (...args: string[]) => {
    const { code, stderr } = await world.kube.kubectl(['-n', JOBS, ...args]);
    expect(stderr, args.join(' ')).toBe('');
    expect(code).toBe(0);
  };
  const forEver = 'trap "exit 143" TERM; while :; do sleep 0.2; done';
  const once = (order: RunOrder) => expect(runs.starts(order)).toBe(1);

  it.each([
    ['exit 0', 'exit 0', { outcome: 'succeeded', exitCode: 0 }],
    ['exit 7', 'exit 7', { outcome: 'failed', reason: 'exit_code', exitCode: 7 }],
    ['exit 200', 'exit 200', { outcome: 'failed', reason: 'exit_code', exitCode: 200 }],
    ['its own SEGV', 'kill -SEGV $$', { outcome: 'failed', reason: 'signal', signal: 'SEGV' }],
    ['its own KILL', 'kill -KILL $$', { outcome: 'failed', reason: 'signal', signal: 'KILL' }],
  ])('%s', async (_, body, expected) => {
    const order = await runs.submit(body);
    const end = await runs.ended(order);
    expect(end).toMatchObject({ ...expected, host: 'n1' });
    expect(end.startedAtMs).toBeLessThanOrEqual(end.endedAtMs!);
    once(order);
  });

  it('a program that is not there', async () => {
    const order = await runs.submit('', { script: undefined, command: ['/no/such/program'] } as never);
    const end = await runs.ended(order);
    expect(end).toMatchObject({ outcome: 'failed', reason: 'rejected' });
    expect(end.exitCode).toBeUndefined();
    expect(end.detail).toContain('/no/such/program');
  });

  const eat = `x=$(head -c 200000000 /dev/zero | tr '\\0' 'x')`;
  it('out of memory', async () => {
    const order = await runs.submit(eat, { resources: { memoryMiBPerNode: 32 } });
    expect(await runs.ended(order)).toMatchObject({ outcome: 'failed', reason: 'out_of_memory' });
    once(order);
  });

  it('out of memory, though the script said 0 after its child was killed', async () => {
    const order = await runs.submit(`sh -c "${eat.replace('$', '\\$')}"; exit 0`, {
      resources: { memoryMiBPerNode: 32 },
    });
    const end = await runs.ended(order);
    expect(end).toMatchObject({ outcome: 'failed', reason: 'out_of_memory' });
    expect(end.exitCode).toBeUndefined();
    once(order);
  });

  it('walltime', async () => {
    const order = await runs.submit(forEver, { resources: { walltimeSeconds: 3 } });
    expect(await runs.ended(order)).toMatchObject({ outcome: 'failed', reason: 'walltime' });
    once(order);
  });

  it('walltime of a payload that says 0 when it is told to end', async () => {
    const order = await runs.submit('trap "exit 0" TERM; while :; do sleep 0.2; done', {
      resources: { walltimeSeconds: 3 },
    });
    expect(await runs.ended(order)).toMatchObject({ outcome: 'failed', reason: 'walltime' });
  });

  it('preempted by a pod of higher priority', async () => {
    const resources = { cpusPerTask: CPUS, walltimeSeconds: 300 };
    const low = await runs.submit(forEver, { resources }, { pool: 'two' });
    await runs.started(low);
    const high = await runs.submit(
      'exit 0',
      { resources, native: { kubernetes: { priorityClassName: 'urgent' } } },
      { pool: 'two' },
    );
    expect(await runs.ended(low)).toMatchObject({ outcome: 'failed', reason: 'preempted' });
    expect(await runs.ended(high)).toMatchObject({ outcome: 'succeeded' });
    once(low);
  });

  // A kubelet under real pressure would take the whole machine of the test along; the API's eviction is what a drain does.
  it('evicted', async () => {
    const order = await runs.submit(forEver);
    await runs.started(order);
    const name = await podOf(order);
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: JOBS } };
    const answer = await world.kube.api('POST', `/api/v1/namespaces/${JOBS}/pods/${name}/eviction`, eviction);
    expect(answer.status).toBe(201);
    expect(await runs.ended(order)).toMatchObject({ outcome: 'failed', reason: 'preempted' });
    once(order);
  });

  // What the kubelet writes when it evicts for memory or disk (kubernetes pkg/kubelet/eviction), written by the test in its place.
  it('evicted by pressure', async () => {
    const order = await runs.submit(forEver);
    await runs.started(order);
    const name = await podOf(order);
    const message = 'The node was low on resource: memory.';
    const condition = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet', message };
    const status = { phase: 'Failed', reason: 'Evicted', message, conditions: [condition] };
    const path = `/api/v1/namespaces/${JOBS}/pods/${name}/status`;
    const options = { contentType: 'application/strategic-merge-patch+json' };
    await world.kube.api('PATCH', path, { status }, options);
    expect(await runs.ended(order)).toMatchObject({ outcome: 'failed', reason: 'preempted', detail: message });
  });

  it('its pod deleted behind our back', async () => {
    const order = await runs.submit(forEver);
    await runs.started(order);
    await kubectl('delete', 'pod', await podOf(order), '--wait=false');
    const end = await runs.ended(order);
    expect(end).toMatchObject({
      outcome: 'cancelled',
      reason: 'cancelled_natively',
      detail: 'somebody deleted the pod',
    });
    once(order);
  });

  it('its pod deleted behind our back by force', async () => {
    const order = await runs.submit(forEver);
    await runs.started(order);
    const { code } = await world.kube.kubectl([
      '-n',
      JOBS,
      'delete',
      'pod',
      await podOf(order),
      '--force',
      '--grace-period=0',
    ]);
    expect(code).toBe(0);
    expect(await runs.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_natively' });
    once(order);
  });

  it.each(['background', 'foreground'])('its Job deleted behind our back (%s)', async (cascade) => {
    const order = await runs.submit(forEver);
    await runs.started(order);
    await kubectl('delete', 'job', order.marker, `--cascade=${cascade}`, '--wait=false');
    const end = await runs.ended(order);
    expect(end).toMatchObject({
      outcome: 'cancelled',
      reason: 'cancelled_natively',
      detail: 'somebody deleted the Job',
    });
    once(order);
  });

  it('its Job deleted behind our back before it had started', async () => {
    const order = await runs.submit('exit 0', {}, { pool: 'nowhere' });
    await podOf(order);
    await kubectl('delete', 'job', order.marker, '--wait=false');
    expect(await runs.ended(order)).toMatchObject({ outcome: 'cancelled', reason: 'cancelled_natively' });
    expect(runs.starts(order)).toBe(0);
  });

  it('its Job deleted and its pods left: they go on to their own end', async () => {
    const order = await runs.submit('while [ ! -e go-on ]; do sleep 0.2; done; exit 5');
    await runs.started(order);
    await kubectl('delete', 'job', order.marker, '--cascade=orphan', '--wait=false');
    await kubectl('exec', await podOf(order), '--', 'touch', `${runs.folder}/go-on`);
    expect(await runs.ended(order)).toMatchObject({ outcome: 'failed', reason: 'exit_code', exitCode: 5 });
    once(order);
  });

  it('an image that cannot be pulled', async () => {
    const image = 'localhost:1/no/such-image:1';
    const order = await runs.submit('exit 0', { image });
    const waiting = await runs.until(order, 'it says so while it waits', ({ nativeState }) =>
      /ImagePull/.test(nativeState),
    );
    expect(waiting.nativeReason).toContain(image);
    const end = await runs.ended(order);
    expect(end).toMatchObject({ outcome: 'failed', reason: 'rejected' });
    expect(end.detail).toContain(image);
  });

  it('pods refused by a quota: the reason is shown while it waits, and it starts when there is room', async () => {
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none', namespace: JOBS } };
    await world.kube.apply([{ ...quota, spec: { hard: { pods: '0' } } }]);
    try {
      const order = await runs.submit('exit 0');
      const { nativeReason } = await runs.until(order, 'the quota is named', (status) =>
        /quota/.test(status.nativeReason),
      );
      expect(nativeReason).toContain('exceeded quota: none');
      expect(runs.status(order).ends).toEqual([]);
      const refused = await runs.submit('exit 0');
      await runs.until(refused, 'the quota is named', (status) => /quota/.test(status.nativeReason));
      await until(
        'it is withdrawn',
        async () => (await runs.backend.withdraw(refused.runId)).ends[0]?.outcome === 'withdrawn',
      );
      await kubectl('delete', 'resourcequota', 'none');
      expect(await runs.ended(order, 120_000)).toMatchObject({ outcome: 'succeeded' });
      once(order);
      expect(runs.starts(refused)).toBe(0);
    } finally {
      await world.kube.kubectl(['-n', JOBS, 'delete', 'resourcequota', 'none', '--ignore-not-found']);
    }
  });

  it("unschedulable, in the scheduler's own sentence", async () => {
    const order = await runs.submit('exit 0', {}, { pool: 'nowhere' });
    const sentence = /^0\/3 nodes are available: .*didn't match Pod's node affinity\/selector/;
    const status = await runs.until(order, 'it is said', ({ nativeReason }) => sentence.test(nativeReason));
    expect(status).toMatchObject({ nativeState: 'Pending', started: '', ends: [] });
    expect((await runs.backend.withdraw(order.runId)).ends).toMatchObject([{ outcome: 'withdrawn' }]);
  });

  // The scheduler binds no such pod, so that this one is bound by hand.
  it('a pod that its kubelet refuses at once has not started', async () => {
    const container = { name: CONTAINER, image: world.kube.image, command: ['true'] };
    const spec = { nodeName: 'n1', nodeSelector: { pool: 'nowhere' }, restartPolicy: 'Never', containers: [container] };
    await world.kube.apply([
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'refused', namespace: 'default' }, spec },
    ]);
    const pod = await until('it is refused', async () => {
      const { body } = await world.kube.api<Pod>('GET', '/api/v1/namespaces/default/pods/refused');
      return body.status?.phase === 'Failed' && body;
    });
    const setting = { job: null, asked: null, eviction: null, letGo: false, nowMs: Date.now(), lostNodeMs: 90_000 };
    expect(podEnd(podFacts(pod, Date.now())!, setting)).toMatchObject({
      ...{ outcome: 'refused', reason: 'rejected' },
      detail: expect.stringContaining('node n1 refused the pod: Pod was rejected: '),
    });
  });

  it('a kubelet that started again and does not take back what it ran', async () => {
    await kubectl('label', 'node', 'n3', 'fickle=yes');
    const order = await runs.submit(forEver, {}, { pool: 'fickle' });
    await runs.started(order);
    await doomed.killKubelet('SIGKILL');
    await kubectl('label', 'node', 'n3', 'fickle-');
    await doomed.start();
    const nodeFailure = { outcome: 'failed', reason: 'node_failure', host: 'n3' };
    const end = await runs.ended(order);
    expect(end).toMatchObject(nodeFailure);
    // All that this one has is what the API server still shows.
    const later = await KubeRuns.open(world, { name: 'later' });
    const known = await later.backend.inventory(0);
    expect(known.find(({ status }) => status.runId === order.runId)?.status.ends).toMatchObject([nodeFailure]);
    await later.close();
    once(order);
  });

  it('node lost for good', async () => {
    const order = await runs.submit(forEver, {}, { pool: 'doomed' });
    await runs.started(order);
    const killedAt = performance.now();
    await doomed.kill();
    const end = await runs.ended(order, 120_000);
    expect(end).toMatchObject({ outcome: 'failed', reason: 'node_failure', host: 'n3' });
    expect((performance.now() - killedAt) / 1000).toBeGreaterThan(LOST_SECONDS);
    await doomed.start();
    await until('the node has taken its pod away', async () => {
      const path = `/api/v1/namespaces/${JOBS}/pods?labelSelector=switchyard.dev/run=${order.runId}`;
      const { items } = (await world.kube.api<{ items: { status: { phase: string } }[] }>('GET', path)).body;
      return items.every(({ status }) => status.phase !== 'Running');
    });
    once(order);
  });
});
