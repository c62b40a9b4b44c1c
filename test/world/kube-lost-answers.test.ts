import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { kubeFingerprint } from '@switchyard/agent-k8s/fingerprint.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Asked, type Fault, type FaultProxy, startFaultProxy } from '../k8s/fault-proxy.ts';
import { changeEveryKind, followKind, pathOfKind, versionsOf } from '../k8s/follow-kind.ts';
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
import { seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';

const kubernetes = kubernetesAvailable();
const TIMES = 100;
/** Everything that the agent of a cluster without Kueue asks of the API server, under the shipped rights: what jobs make it ask, … */
const OF_JOBS = [
  ...['create jobs', 'get jobs', 'patch jobs', 'delete jobs', 'create services'],
  ...['get pods', 'list pods', 'patch pods', 'delete pods', 'get pods/log'],
];
/** … what it follows, whatever happens, … */
const FOLLOWED = ['jobs', 'pods', 'events', 'nodes', 'resourcequotas'];
/** … and what it asks at the start. */
const ASKED_ONCE = ['get namespaces', 'get /version'];
const likelihood = (name: string, dropped: number) => {
  // What follows a kind waits ever longer after each failure in a row.
  if (FOLLOWED.some((kind) => name === `watch ${kind}` || (name === `list ${kind}` && kind !== 'pods'))) return 0.4;
  if (dropped >= TIMES) return 0.05;
  // Few are asked of each gang.
  return name === 'patch pods' || name === 'create services' ? 0.85 : 0.7;
};
const CPUS = 12;
const HALF = 7;
const STATUSES = [429, 500, 503, 504] as const;

/** The request went through and its answer was lost: of every verb and kind that the agent uses, 100 times each. */
describe.skipIf(!kubernetes.ok)(`lost answers between the agent and the API server (${kubernetes.why})`, () => {
  let shared: SharedFolder;
  let site: KubeSite;
  let proxy: FaultProxy;
  let federation: Federation;
  const random = seeded(11);

  beforeAll(async () => {
    shared = sharedFolder();
    site = await startKubeSite({ name: 'lossy', nodeMonitorGraceSeconds: 40 }, shared);
    const { kube } = site;
    await Promise.all(['n1', 'n2'].map((name) => kube.addNode(name, { cpus: CPUS, memoryMiB: 12_000 })));
    proxy = await startFaultProxy({
      ...{ url: kube.apiUrl, certFile: join(kube.dir, 'server.crt'), keyFile: join(kube.dir, 'server.key') },
    });
    federation = await startFederation();
    const kubeconfig = await behindProxy();
    await federation.addCluster('lossy', await site.settings({ kubeconfig, requestTimeoutMs: 5000 }));
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    await proxy?.close();
    await site?.close();
    shared?.remove();
  });

  const behindProxy = () => site.kube.kubeconfigFor('switchyard', 'switchyard-agent', { server: proxy.url });
  const dropped = (name: string) => proxy.faults.get(`drop_reply ${name}`) ?? 0;
  const lacking = (names: readonly string[]) => names.filter((name) => dropped(name) < TIMES);

  const decide = (asked: Asked): Fault | null => {
    const name = `${asked.verb} ${asked.resource}`;
    if (random() < likelihood(name, dropped(name))) return { kind: 'drop_reply' };
    const status = STATUSES[Math.floor(random() * STATUSES.length)]!;
    if (random() < 0.05) return { kind: 'answer_after', status };
    if (random() < 0.05) return { kind: 'refuse', status, ...(random() < 0.2 ? { retryAfterSeconds: 1 } : {}) };
    if (asked.verb === 'list' && random() < 0.2) return { kind: 'stale' };
    // Outputs are followed, and what is open is not asked for again.
    const bytes = 1 + Math.floor(random() * 6000);
    if (asked.resource === 'pods/log') return { kind: 'cut_after', bytes, ms: 200 };
    if (asked.verb !== 'watch') return null;
    // A list is asked for where a watch cannot go on.
    return random() < 0.15 ? { kind: 'refuse', status: 410 } : { kind: 'cut_after', bytes, ms: 1100 };
  };

  const spec = (script: string, resources: JobSpecInput['resources'] = {}): JobSpecInput => ({
    ...{ script: `#!/bin/sh\n${script}`, needs: [SHARED] },
    resources: { walltimeSeconds: 900, memoryMiBPerNode: 32, ...resources },
  });

  test(`${TIMES} lost answers of each: no job lost, no payload started twice, every cancelled one really ended`, async () => {
    const ledger = shared.ledger('lossy');
    const { api } = federation;
    const expected = new Map<number, { state: string; starts: number }>();
    const submit = async (count: number, job: JobSpecInput, state: string) => {
      const jobs = await api.submitMany(Array.from({ length: count }, () => job));
      for (const { number } of jobs) expected.set(number, { state, starts: job.resources?.nodes ?? 1 });
      return jobs.map(({ number }) => number);
    };
    const open = async () => (await api.jobs()).filter((job) => !ENDED.has(job.state));
    const describeAll = async () => ({
      open: (await open()).slice(0, 6).map(({ number, state, nativeState }) => [number, state, nativeState]),
      lacking: lacking(OF_JOBS),
      agent: federation.agents.get('lossy')!.output().slice(-2500),
    });
    const waiting = { timeoutMs: 180_000, everyMs: 200, describe: describeAll };
    const perRank = 'export YARD_TASK_INDEX=$YARD_NODE_RANK';

    proxy.decide = decide;
    const quick = payload(ledger, 'echo out; sleep 1; echo put');
    const slow = payload(ledger, 'while :; do echo out; sleep 1; done');
    const long = [
      ...(await submit(2, spec(slow, { cpusPerTask: HALF }), 'cancelled')),
      ...(await submit(3, spec(slow), 'cancelled')),
    ];
    await until('the long jobs run', () => long.every((number) => ledger.starts().has(`${number}.0`)), waiting);
    // Their agent ends, and these wait for whole nodes, until the long ones have gone.
    await federation.agents.get('lossy')!.end('SIGKILL');
    const whole = [
      ...(await submit(4, spec(payload(ledger), { cpusPerTask: CPUS }), 'succeeded')),
      ...(await submit(2, spec(`${perRank}\n${payload(ledger)}`, { cpusPerTask: CPUS, nodes: 2 }), 'succeeded')),
    ];
    federation.startAgent('lossy');

    const lacksOf = (...names: string[]) => lacking(names).length > 0;
    /** Given back and placed again, on the only cluster that there is. */
    const takeBack = async () => {
      let times = 0;
      const asked = new Set<string>();
      while (times < 200 && lacksOf('create jobs', 'create services', 'patch jobs', 'delete pods')) {
        for (const { runs } of await Promise.all(whole.map((number) => api.job(number)))) {
          const run = runs.find(({ state, id }) => state === 'placed' && !asked.has(id));
          if (!run || !(await api.call('POST', `/v1/runs/${run.id}/withdraw`, {}))) continue;
          asked.add(run.id);
          times += 1;
        }
        await delay(100);
      }
    };
    const runSome = async () => {
      for (let wave = 0; wave < 12 && lacksOf('patch pods', 'get jobs', 'get pods'); wave += 1) {
        const numbers = [
          ...(await submit(2, spec(quick), 'succeeded')),
          ...(await submit(2, spec(`${perRank}\n${quick}`, { nodes: 2 }), 'succeeded')),
        ];
        const jobs = () => Promise.all(numbers.map((number) => api.job(number)));
        await until(
          'the jobs of a wave end',
          async () => (await jobs()).every(({ state }) => ENDED.has(state)),
          waiting,
        );
      }
    };
    const readOutputs = async () => {
      while (lacksOf('get pods/log')) for (const number of long) await api.call('GET', `/v1/jobs/${number}/logs`);
    };
    await Promise.all([takeBack(), runSome(), readOutputs()]);
    for (const number of long) await api.call('POST', `/v1/jobs/${number}/cancel`, {});
    await until('all jobs end', async () => (await open()).length === 0, waiting);
    await until('what is over is deleted', () => lacking(OF_JOBS).length === 0, waiting);

    const jobs = await api.jobs();
    expect(new Set(jobs.map(({ number }) => number))).toEqual(new Set(expected.keys()));
    const wrong = jobs.filter(({ number, state }) => state !== expected.get(number)!.state);
    expect(wrong.map(({ number, state, reason, detail }) => ({ number, state, reason, detail }))).toEqual([]);
    expect(ledger.startedTwice()).toEqual([]);
    const starts = Map.groupBy(ledger.starts().keys(), (key) => Number(key.split('.')[0]));
    for (const [number, end] of expected) expect([number, starts.get(number)?.length]).toEqual([number, end.starts]);
    expect(ledger.lines().filter(({ word, number }) => word === 'end' && long.includes(number))).toEqual([]);
    const left = await site.kube.api<{ items: { status: { phase: string } }[] }>(
      'GET',
      `/api/v1/namespaces/${JOBS}/pods`,
    );
    expect(left.body.items.filter(({ status }) => ['Pending', 'Running'].includes(status.phase))).toEqual([]);
    const withdrawn = (await Promise.all(whole.map((number) => api.job(number)))).filter(({ runs }) =>
      runs.some(({ outcome }) => outcome === 'withdrawn'),
    );
    expect(withdrawn.map(({ number }) => number).sort()).toEqual([...whole].sort());
    for (const status of STATUSES)
      for (const kind of ['refuse', 'answer_after']) expect(proxy.faults.get(`${kind} ${status}`)).toBeGreaterThan(5);
    for (const kind of ['jobs', 'pods']) {
      expect(proxy.faults.get(`cut_after watch ${kind}`)).toBeGreaterThan(10);
      expect(proxy.faults.get(`stale list ${kind}`)).toBeGreaterThan(5);
    }
  }, 600_000);

  test(`lists and watches, ${TIMES} lost answers of each: whoever follows a kind ends with what the server has`, async () => {
    const client = await openKubeClient({ kubeconfig: await behindProxy() });
    const followers = FOLLOWED.flatMap((kind) => Array.from({ length: 6 }, () => followKind(client, pathOfKind(kind))));
    const wanted = FOLLOWED.flatMap((kind) => [`list ${kind}`, `watch ${kind}`]);
    proxy.decide = (asked) => {
      const isList = asked.verb === 'list';
      if (random() < 0.5) return { kind: 'drop_reply' };
      if (isList) return random() < 0.1 ? { kind: 'stale' } : null;
      if (random() < 0.4) return { kind: 'refuse', status: 410 };
      return { kind: 'cut_after', bytes: 1 + Math.floor(random() * 3000), ms: 1100 };
    };
    for (let round = 0; round < 600 && lacking(wanted).length > 0; round += 1) {
      await changeEveryKind(site.kube, round);
      await delay(200);
    }
    expect(lacking(wanted)).toEqual([]);
    proxy.decide = () => null;
    for (const { path, kept } of followers) {
      const truth = () => versionsOf(site.kube, path);
      await until(
        `the follower of ${path} has what the server has`,
        async () => isDeepStrictEqual(kept(), await truth()),
        {
          ...{ timeoutMs: 30_000, everyMs: 100 },
          describe: async () => ({ kept: [...kept()], truth: [...(await truth())] }),
        },
      );
    }
    await Promise.all(followers.map(({ close }) => close()));
    await client.close();
  }, 300_000);

  test(`what is asked once at the start, ${TIMES} lost answers of each`, async () => {
    const client = await openKubeClient({ kubeconfig: await behindProxy() });
    proxy.decide = () => (random() < 0.5 ? { kind: 'drop_reply' } : null);
    const seen = new Set<string>();
    while (lacking(ASKED_ONCE).length > 0) {
      const asked = Array.from({ length: 8 }, () => [
        kubeFingerprint(client).then((fingerprint) => seen.add(fingerprint)),
        client.request({ verb: 'GET', path: '/version' }),
      ]);
      await Promise.all(asked.flat());
    }
    await client.close();
    expect(seen.size).toBe(1);
  });
});
