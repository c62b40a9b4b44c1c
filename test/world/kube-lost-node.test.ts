import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
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
import { type KubeNode, kubernetesAvailable } from '../k8s/testbed.ts';
import { ENDED } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const kubernetes = kubernetesAvailable();
/** How long the control plane, and then the agent, wait for a silent node. */
const GRACE_SECONDS = 8;
const LOST_AFTER_SECONDS = 6;

/** Nodes that are gone for good, and nodes that come back when their jobs have been called lost. */
describe.skipIf(!kubernetes.ok)(`lost nodes (${kubernetes.why})`, () => {
  let shared: SharedFolder;
  let site: KubeSite;
  let federation: Federation;
  const nodes = new Map<string, KubeNode>();

  beforeAll(async () => {
    shared = sharedFolder();
    site = await startKubeSite({ name: 'lost', nodeMonitorGraceSeconds: GRACE_SECONDS }, shared);
    await addNode('n1');
    federation = await startFederation();
    await federation.addCluster('kube', await site.settings({ lostNodeSeconds: LOST_AFTER_SECONDS }));
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    await site?.close();
    shared?.remove();
  });

  const addNode = async (name: string) => {
    nodes.set(name, await site.kube.addNode(name, { cpus: 16, memoryMiB: 8000, labels: { name } }));
  };
  /** The ledger has the node in the place of the cluster. */
  const spec = (ledger: Ledger, body: string, more: Partial<JobSpecInput> = {}): JobSpecInput => ({
    ...{ script: `#!/bin/sh\nYARD_CLUSTER=$YARD_NODE_NAME\n${payload(ledger, body)}`, needs: [SHARED] },
    ...more,
    resources: { walltimeSeconds: 900, memoryMiBPerNode: 32, ...more.resources },
  });
  const on = (name: string) => ({ native: { kubernetes: { nodeSelector: { name } } } });
  const rerunnable = { rerunnable: true, retry: { maxAttempts: 3 } };
  const onFirstAttempt = (seconds: number) => `[ "$YARD_ATTEMPT" != 1 ] || sleep ${seconds}`;

  const describeAll = async () => ({
    jobs: (await federation.api.jobs()).map(({ number, state, reason, detail, runs }) => [
      number,
      state,
      reason,
      detail,
      runs,
    ]),
    programs: federation.describe(),
  });
  const waiting = { timeoutMs: 120_000, everyMs: 200, describe: describeAll };
  const untilEnded = (numbers: readonly number[]) =>
    until(
      `jobs ${numbers} end`,
      async () => {
        const jobs = await Promise.all(numbers.map((number) => federation.api.job(number)));
        return jobs.every(({ state }) => ENDED.has(state)) && jobs;
      },
      waiting,
    );
  const startedOn = (ledger: Ledger) => {
    const byTask = Map.groupBy(
      ledger.lines().filter(({ word }) => word === 'start'),
      ({ number, task }) => `${number}.${task}`,
    );
    return Object.fromEntries([...byTask].map(([key, lines]) => [key, lines.map(({ cluster }) => cluster)]));
  };
  type Pods = { items: { metadata: { name: string }; spec: { nodeName?: string }; status: { phase: string } }[] };
  const livingPods = async (name: string) => {
    const { body } = await site.kube.api<Pods>(
      'GET',
      `/api/v1/namespaces/${JOBS}/pods?fieldSelector=spec.nodeName=${name}`,
    );
    return body.items.filter(({ status }) => !['Succeeded', 'Failed'].includes(status.phase));
  };
  const lost = { state: 'failed', reason: 'node_failure', detail: expect.stringContaining('n1') };

  test('a machine that is gone for good: what ran there has failed with it, and runs again only if it may', async () => {
    const { api } = federation;
    const ledger = shared.ledger('gone');
    const submit = async (body: string, more: Partial<JobSpecInput> = {}) =>
      (await api.submit(spec(ledger, body, more))).number;
    const plain = [await submit('sleep 800'), await submit('sleep 800')];
    const again = [await submit(onFirstAttempt(800), rerunnable), await submit(onFirstAttempt(800), rerunnable)];
    const array = await submit('[ $YARD_TASK_INDEX = 3 ] || sleep 800', { array: { tasks: '1-3' } });
    const arrayAgain = await submit(onFirstAttempt(800), { ...rerunnable, array: { tasks: '1-2' } });
    const starts = (count: number) => () => ledger.starts().size === count;
    await until('all of them run', starts(9), waiting);
    await addNode('n2');
    const perRank = 'YARD_TASK_INDEX=$YARD_NODE_RANK; export YARD_TASK_INDEX';
    const gangSpec = {
      ...spec(ledger, 'sleep 800', { resources: { nodes: 2 } }),
      script: `#!/bin/sh\n${perRank}\nYARD_CLUSTER=$YARD_NODE_NAME\n${payload(ledger, 'sleep 800')}`,
    };
    // Refused until the cluster has reported its second node.
    const { number: gang } = await until('the gang is accepted', () => api.submit(gangSpec), waiting);
    await until('the nodes of the gang run', starts(11), waiting);

    await nodes.get('n1')!.kill();
    const late = await submit('echo late', on('n1'));
    const ended = await untilEnded([...plain, array, gang]);
    expect(ended.map(({ state, reason, detail }) => ({ state, reason, detail }))).toEqual(ended.map(() => lost));
    expect((await untilEnded([...again, arrayAgain])).map(({ state }) => state)).toEqual(Array(3).fill('succeeded'));
    // Bound to a node that nobody sees: whether it has started there nobody knows.
    expect(await untilEnded([late])).toMatchObject([lost]);
    const once = [
      ...plain.map((number) => [`${number}.0`, ['n1']]),
      ...[1, 2, 3].map((task) => [`${array}.${task}`, ['n1']]),
    ];
    const twice = [...again.map((number) => `${number}.0`), `${arrayAgain}.1`, `${arrayAgain}.2`].map((key) => [
      key,
      ['n1', 'n2'],
    ]);
    const { [`${gang}.0`]: first, [`${gang}.1`]: second, ...others } = startedOn(ledger);
    expect(others).toEqual(Object.fromEntries([...once, ...twice]));
    expect([first, second].flat().sort()).toEqual(['n1', 'n2']);
    // What ran of the gang on the other node was ended with it.
    await until('nothing runs on the other node', async () => (await livingPods('n2')).length === 0, waiting);
  });

  test('a kubelet, and a machine, that come back when their jobs have been called lost: nothing starts again', async () => {
    const { api } = federation;
    const ledger = shared.ledger('back');
    if (!nodes.has('n2')) await addNode('n2');
    await addNode('n3');
    const there = { ...on('n2') };
    const submit = async (body: string, more: Partial<JobSpecInput> = {}) =>
      (await api.submit(spec(ledger, body, { ...there, ...more }))).number;
    const plain = [await submit('sleep 800'), await submit('sleep 800')];
    // Ends while nobody looks.
    const short = await submit('sleep 8');
    const again = await submit(onFirstAttempt(800), rerunnable);
    await until('all of them run', () => ledger.starts().size === 4, waiting);
    await nodes.get('n2')!.killKubelet('SIGKILL');
    const ended = await untilEnded([...plain, short]);
    expect(ended.map(({ state, reason }) => [state, reason])).toEqual(ended.map(() => ['failed', 'node_failure']));
    await until('it is placed again', async () => (await api.job(again)).runs.length === 2, waiting);
    expect(ledger.startedTwice()).toEqual([]);

    await nodes.get('n2')!.start();
    await until('what was left there is ended', async () => (await livingPods('n2')).length === 0, waiting);
    expect(await untilEnded([again])).toMatchObject([{ state: 'succeeded' }]);
    await nodes.get('n1')?.start();
    await until('what was left there is ended', async () => (await livingPods('n1')).length === 0, waiting);
    const after = await untilEnded([...plain, short]);
    expect(after.map(({ state, reason }) => [state, reason])).toEqual(ended.map(() => ['failed', 'node_failure']));
    const once = [...plain, short].map((number) => [`${number}.0`, ['n2']]);
    expect(startedOn(ledger)).toEqual(Object.fromEntries([...once, [`${again}.0`, ['n2', 'n2']]]));
    // The first test's, which the machine knew of when it was lost.
    const gone = new Ledger(shared.path, 'gone');
    expect(Object.values(startedOn(gone)).filter((where) => where.filter((name) => name === 'n1').length > 1)).toEqual(
      [],
    );
  });
});
