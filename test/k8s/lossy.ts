import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { KubeError } from '@switchyard/agent-k8s/client/kube-error.ts';
import type { KubernetesConfigInput } from '@switchyard/agent-k8s/config.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { expect } from 'vitest';
import { type Federation, startFederation } from '../support/federation.ts';
import type { JobBook } from '../support/job-book.ts';
import { seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';
import { type Asked, type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { changeKinds, followKind, pathOfKind, versionsOf } from './follow-kind.ts';
import { type KubeSite, SHARED, type SharedFolder, sharedFolder, startKubeSite } from './kube-site.ts';
import type { KubeCluster } from './testbed.ts';

/** How often the answer to each kind of request is lost. */
export const TIMES = 100;
/** On each of the two nodes. */
export const CPUS = 12;
/** Each answer 429 halves the rate of the client for a while, so there are fewer of them. */
const STATUSES = [429, 500, 500, 503, 503, 504] as const;

type Decide = FaultProxy['decide'];

/** A cluster of two nodes, and a federation whose only agent reaches its API server through a proxy that loses answers. */
export type LossySite = {
  readonly shared: SharedFolder;
  readonly site: KubeSite;
  readonly proxy: FaultProxy;
  readonly federation: Federation;
  readonly random: () => number;
  /** A file for another client of the agent's rights. */
  behindProxy(): Promise<string>;
  /** How often the answer to what the proxy calls so was lost, and of which names this is less than `TIMES`. */
  dropped(name: string): number;
  lacking(names: readonly string[]): string[];
  /** How long to wait for jobs, and what to show when it was in vain. */
  waiting(book: JobBook, names: readonly string[]): { timeoutMs: number; everyMs: number; describe: () => unknown };
  close(): Promise<void>;
};

export async function startLossySite(given: {
  readonly seed: number;
  readonly setUp?: (kube: KubeCluster) => Promise<void>;
  readonly config?: Partial<KubernetesConfigInput>;
}): Promise<LossySite> {
  const closing: (() => unknown)[] = [];
  const close = async () => {
    for (const each of closing.reverse()) await each();
  };
  try {
    const shared = sharedFolder();
    closing.push(() => shared.remove());
    const site = await startKubeSite({ name: 'lossy', nodeMonitorGraceSeconds: 40 }, shared);
    closing.push(() => site.close());
    const { kube } = site;
    await Promise.all(['n1', 'n2'].map((name) => kube.addNode(name, { cpus: CPUS, memoryMiB: 12_000 })));
    await given.setUp?.(kube);
    const files = { certFile: join(kube.dir, 'server.crt'), keyFile: join(kube.dir, 'server.key') };
    const proxy = await startFaultProxy({ url: kube.apiUrl, ...files });
    closing.push(() => proxy.close());
    const federation = await startFederation();
    closing.push(() => federation.close());
    const behindProxy = () => kube.kubeconfigFor('switchyard', 'switchyard-agent', { server: proxy.url });
    const own = { kubeconfig: await behindProxy(), requestTimeoutMs: 5000 };
    await federation.addCluster('lossy', await site.settings({ ...own, ...given.config }));
    await federation.connected();
    const dropped = (name: string) => proxy.faults.get(`drop_reply ${name}`) ?? 0;
    const lacking = (names: readonly string[]) => names.filter((name) => dropped(name) < TIMES);
    const waiting: LossySite['waiting'] = (book, names) => ({
      ...{ timeoutMs: 300_000, everyMs: 200 },
      describe: async () => ({
        open: (await book.open()).slice(0, 6).map(({ number, state, nativeState }) => [number, state, nativeState]),
        lacking: lacking(names).map((name) => `${name}: ${dropped(name)}`),
        agent: federation.agents.get('lossy')!.output().slice(-2500),
      }),
    });
    return {
      shared,
      site,
      proxy,
      federation,
      random: seeded(given.seed),
      behindProxy,
      dropped,
      lacking,
      waiting,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Answers are lost as often as it is said for each name; some requests are refused, lists are old, and what stays open is cut. */
export function losing(random: () => number, likelihood: (name: string) => number): Decide {
  return (asked: Asked, name: string): Fault | null => {
    if (random() < likelihood(name)) return { kind: 'drop_reply' };
    const status = STATUSES[Math.floor(random() * STATUSES.length)]!;
    if (random() < 0.1) return { kind: 'answer_after', status };
    if (random() < 0.1) return { kind: 'refuse', status, ...(random() < 0.2 ? { retryAfterSeconds: 1 } : {}) };
    if (asked.verb === 'list' && random() < 0.2) return { kind: 'stale' };
    // Outputs are followed, and what is open is not asked for again.
    const bytes = 1 + Math.floor(random() * 6000);
    if (asked.resource === 'pods/log') return { kind: 'cut_after', bytes, ms: 200 };
    if (asked.verb !== 'watch') return null;
    // A list is asked for where a watch cannot go on.
    return random() < 0.15 ? { kind: 'refuse', status: 410 } : { kind: 'cut_after', bytes, ms: 1100 };
  };
}

/** The watch and the lists of what is followed. */
export function requestsOfFollowing(kinds: readonly string[]): string[] {
  return kinds.flatMap((kind) => [`list ${kind}`, `watch ${kind}`]);
}

/** Each of them came; how often is up to chance and the machine. */
export function checkOtherFaults({ proxy }: LossySite, kinds: readonly string[]): void {
  for (const status of STATUSES)
    for (const kind of ['refuse', 'answer_after']) expect(proxy.faults.get(`${kind} ${status}`)).toBeGreaterThan(0);
  for (const kind of kinds) {
    expect(proxy.faults.get(`cut_after watch ${kind}`)).toBeGreaterThan(0);
    expect(proxy.faults.get(`stale list ${kind}`)).toBeGreaterThan(0);
  }
}

/** A job whose payload sees the shared folder. */
export function smallJob(script: string, resources: JobSpecInput['resources'] = {}): JobSpecInput {
  return {
    ...{ script: `#!/bin/sh\n${script}`, needs: [SHARED] },
    resources: { walltimeSeconds: 900, memoryMiBPerNode: 32, ...resources },
  };
}

/** The payload of each node of a gang counts by its rank. */
export function perRank(script: string): string {
  return `export YARD_TASK_INDEX=$YARD_NODE_RANK\n${script}`;
}

/** Whatever has a place of these is given back, and placed again on the only cluster that there is, as long as `goesOn`. */
export async function giveBack({ api }: Federation, numbers: readonly number[], goesOn: () => boolean): Promise<void> {
  const asked = new Set<string>();
  while (asked.size < 200 && goesOn()) {
    for (const { runs } of await Promise.all(numbers.map((number) => api.job(number)))) {
      const run = runs.find(({ state, id }) => state === 'placed' && !asked.has(id));
      if (!run) continue;
      await api.call('POST', `/v1/runs/${run.id}/withdraw`, {});
      asked.add(run.id);
    }
    await delay(100);
  }
}

/** Those of the jobs that were given back at least once. */
export async function givenBack({ api }: Federation, numbers: readonly number[]): Promise<number[]> {
  const jobs = await Promise.all(numbers.map((number) => api.job(number)));
  return jobs.filter(({ runs }) => runs.some(({ outcome }) => outcome === 'withdrawn')).map(({ number }) => number);
}

/** While answers to lists and watches are lost, each `TIMES` times, several follow each kind; all of them end with what the server has. */
export async function followersEndWithTheTruth(lossy: LossySite, kinds: readonly string[]): Promise<void> {
  const { proxy, random, site, lacking } = lossy;
  const client = await openKubeClient({ kubeconfig: await lossy.behindProxy() });
  const followers = kinds.flatMap((kind) => Array.from({ length: 6 }, () => followKind(client, pathOfKind(kind))));
  const wanted = requestsOfFollowing(kinds);
  proxy.decide = (asked) => {
    const isList = asked.verb === 'list';
    if (random() < 0.5) return { kind: 'drop_reply' };
    if (isList) return random() < 0.1 ? { kind: 'stale' } : null;
    if (random() < 0.4) return { kind: 'refuse', status: 410 };
    return { kind: 'cut_after', bytes: 1 + Math.floor(random() * 3000), ms: 1100 };
  };
  for (let round = 0; round < 600 && lacking(wanted).length > 0; round += 1) {
    await changeKinds(site.kube, kinds, round);
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
}

/** Several ask again and again while answers to these are lost, until this was done to each `TIMES` times. */
export async function askUntilLost(
  lossy: LossySite,
  names: readonly string[],
  ask: () => Promise<unknown>,
): Promise<void> {
  const { proxy, random, lacking } = lossy;
  const decide = losing(random, () => 0.4);
  proxy.decide = (asked, name) => (names.includes(name) ? decide(asked, name) : null);
  const askOn = async () => {
    while (lacking(names).length > 0) await ask().catch(unlessUnanswered);
  };
  await Promise.all(Array.from({ length: 16 }, askOn));
  proxy.decide = () => null;
}

/** All of its tries within half a minute may fail. */
function unlessUnanswered(error: unknown): void {
  if (!(error instanceof KubeError && error.retryable)) throw error;
}
