// 5,000 jobs on 100 simulated nodes through the endpoint, against as many raw create calls of the same Job in the same run (budget:
// ≥ 0.6 ×); API requests a job, the agent's memory (≤ 180 MB), and what 10,000 pods of others add to it (< 60 MB).
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startFaultProxy } from '../test/k8s/fault-proxy.ts';
import { JOBS as NAMESPACE, startKubeSite } from '../test/k8s/kube-site.ts';
import { startFederation } from '../test/support/federation.ts';
import { until } from '../test/support/until.ts';
import { bundles } from './support/bundles.ts';
import { report } from './support/report.ts';
import { residentMB } from './support/resident.ts';

const JOBS = Number(process.env['JOBS'] ?? 5000);
const FOREIGN = Number(process.env['FOREIGN'] ?? 10_000);
const COUNTED = 200;
const CONNECTIONS = 16;
const JOB_PATH = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`;

type Made = { metadata: Record<string, unknown>; spec: { template: { metadata: { labels?: object } } } };

let direct = '';
let counting = '';
const site = await startKubeSite({ name: 'bench' });
const { kube } = site;
const federation = await startFederation({ programs: bundles() });
try {
  await kube.addSimulatedNodes(100, { cpus: 64, memoryMiB: 256_000, jobSeconds: 1 });
  const settings = await site.settings({ requestsPerSecond: 2000, burst: 4000 });
  direct = String(settings.kubernetes['kubeconfig']);

  const proxy = await startFaultProxy({
    url: kube.apiUrl,
    certFile: join(kube.dir, 'server.crt'),
    keyFile: join(kube.dir, 'server.key'),
  });
  counting = await kube.kubeconfigFor('switchyard', 'switchyard-agent', { server: proxy.url });
  const kubernetes = { ...settings.kubernetes, kubeconfig: counting };
  await federation.addCluster('bench', { ...settings, kubernetes, backlog: 20_000, healthPort: 18_472 });
  await federation.connected();
  proxy.asked.clear();
  const template = await copyOfOneJob();
  await allEnd(await submit(COUNTED));
  await gone();
  const perJob = [...proxy.asked].map(([name, times]) => [name, times / (COUNTED + 1)] as const);

  const raw = await rawCreates(template);
  await inParallel(async (at) => void (await kube.api('DELETE', `${JOB_PATH}/raw-${at}?propagationPolicy=Background`)));
  await gone();

  await restartAgent();
  const idle = agentMB();
  let most = idle;
  const watch = setInterval(() => {
    most = Math.max(most, agentMB());
  }, 200);
  const startedMs = Date.now();
  const before = busySeconds();
  const numbers = await submit(JOBS);
  await allPlaced(numbers);
  const busy = minus(busySeconds(), before);
  await allEnd(numbers);
  clearInterval(watch);
  const { placed, ended } = (
    await federation.query(
      `SELECT max(placed_at) AS placed, max(ended_at) AS ended FROM runs WHERE offered_at >= to_timestamp(${startedMs / 1000})`,
    )
  ).rows[0] as { placed: Date; ended: Date };
  const oursSeconds = (placed.getTime() - startedMs) / 1000;
  const endedSeconds = (ended.getTime() - startedMs) / 1000;

  await restartAgent();
  await delay(10_000);
  const without = agentMB();
  await foreignPods();
  await restartAgent();
  await delay(10_000);
  const withForeign = agentMB();

  const ratio = raw.seconds / oursSeconds;
  report(
    'kube-throughput',
    `${JOBS} jobs on 100 simulated nodes of one Kubernetes`,
    ['', 'all created s', 'jobs/s', 'all ended s'],
    [
      [`raw creates, ${CONNECTIONS} connections (the limit)`, raw.seconds, JOBS / raw.seconds, ''],
      ['through the endpoint', oursSeconds, JOBS / oursSeconds, endedSeconds],
      ['ratio of the rates', ratio, '', ''],
    ],
    [
      `budget ≥ 0.6 ×, measured ${ratio.toFixed(2)} ×; ours counts from the first byte of the first POST to the last native id in the database`,
      `processor time a job: ${perJobMs(raw.busy, ['machine'])} with raw creates, ${perJobMs(busy, ['machine'])} with ours; of these ${perJobMs(busy, ['agent', 'broker', 'postgres'])}; the rest is the cluster, which starts jobs meanwhile`,
      `API requests a job, over ${COUNTED + 1} jobs: ${perJob.map(([name, times]) => `${name} ${times.toFixed(2)}`).join(', ')}`,
      `agent: ${idle.toFixed(0)} MB before, at most ${most.toFixed(0)} MB with ${JOBS} jobs (budget ≤ 180)`,
      `agent: ${without.toFixed(0)} MB after a start, ${withForeign.toFixed(0)} MB with ${FOREIGN} running pods of others (budget: < 60 more)`,
    ],
  );
  await proxy.close();
} finally {
  await federation.close();
  await site.close();
}

/** The Job that a submitted one becomes, so that raw creates carry the same bytes. */
async function copyOfOneJob(): Promise<Made> {
  const [number] = await submit(1);
  const made = await until('the Job is there', async () => {
    const { body } = await kube.api<{ items: Made[] }>('GET', JOB_PATH);
    return body.items[0];
  });
  await allEnd([number!]);
  return made;
}

async function rawCreates(template: Made): Promise<{ seconds: number; busy: Busy }> {
  const { name: _, uid: __, resourceVersion: ___, managedFields: ____, ...metadata } = template.metadata;
  const { selector: _____, ...spec } = template.spec as Made['spec'] & { selector?: unknown };
  const labels = Object.entries(spec.template.metadata.labels ?? {}).filter(
    ([key]) => !/controller-uid|job-name/.test(key),
  );
  const body = (at: number) => ({
    ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: { ...metadata, name: `raw-${at}`, labels: {} } },
    spec: {
      ...spec,
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels: Object.fromEntries(labels) } },
    },
  });
  const started = performance.now();
  const before = busySeconds();
  await inParallel(async (at) => {
    const { status } = await kube.api('POST', JOB_PATH, body(at));
    if (status !== 201) throw new Error(`a raw create answered ${status}`);
  });
  return { seconds: (performance.now() - started) / 1000, busy: minus(busySeconds(), before) };
}

async function inParallel(work: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < JOBS) await work(next++);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}

async function submit(count: number): Promise<number[]> {
  const spec = { script: '#!/bin/sh\n:\n', resources: { walltimeSeconds: 600, memoryMiBPerNode: 32 } };
  const numbers: number[] = [];
  while (numbers.length < count) {
    const part = Array.from({ length: Math.min(1000, count - numbers.length) }, () => spec);
    numbers.push(...(await federation.api.submitMany(part)).map((job) => job.number));
  }
  return numbers;
}

async function allEnd(numbers: readonly number[]): Promise<void> {
  const open = `SELECT count(*)::int AS open FROM jobs WHERE ended_at IS NULL AND number BETWEEN ${Math.min(...numbers)} AND ${Math.max(...numbers)}`;
  await until('all jobs end', async () => (await federation.query(open)).rows[0].open === 0, {
    ...{ timeoutMs: 600_000, everyMs: 500 },
  });
}

async function allPlaced(numbers: readonly number[]): Promise<void> {
  const open = `SELECT count(*)::int AS open FROM jobs j WHERE number BETWEEN ${Math.min(...numbers)} AND ${Math.max(...numbers)}
    AND NOT EXISTS (SELECT FROM runs r WHERE r.job_id = j.id AND r.placed_at IS NOT NULL)`;
  await until('all jobs are placed', async () => (await federation.query(open)).rows[0].open === 0, {
    ...{ timeoutMs: 600_000, everyMs: 500 },
  });
}

async function gone(): Promise<void> {
  const left = async () =>
    (await kube.api<{ items: unknown[] }>('GET', `/api/v1/namespaces/${NAMESPACE}/pods?limit=1`)).body;
  await until('nothing is left of the jobs', async () => (await left()).items.length === 0, {
    ...{ timeoutMs: 600_000, everyMs: 1000 },
  });
}

/** From then on it asks the server itself. */
async function restartAgent(): Promise<void> {
  await federation.agents.get('bench')!.end('SIGTERM');
  const file = join(federation.dir, 'bench.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(counting, direct));
  federation.startAgent('bench');
  await federation.connected();
}

async function foreignPods(): Promise<void> {
  await kube.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'others' } }]);
  let next = 0;
  const one = async () => {
    while (next < FOREIGN) {
      const at = next++;
      const container = { name: 'c', image: 'x', resources: { requests: { cpu: '100m', memory: '64Mi' } } };
      const spec = { nodeName: `sim-${at % 100}`, containers: [container], tolerations: [{ operator: 'Exists' }] };
      const metadata = { name: `other-${at}`, labels: { app: `app-${at % 50}` } };
      const { status } = await kube.api('POST', '/api/v1/namespaces/others/pods', { metadata, spec });
      if (status !== 201) throw new Error(`a foreign pod answered ${status}`);
    }
  };
  await kube.apply([{ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'others' } }]);
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}

function agentMB(): number {
  return residentMB(federation.agents.get('bench')!.child.pid!);
}

type Busy = { machine: number; agent: number; broker: number; postgres: number };

/** Processor seconds so far, by /proc (100 ticks a second). PostgreSQL's are those of all its processes. */
function busySeconds(): Busy {
  const [, user, nice, system] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/ +/).map(Number);
  const all = processes();
  const postgres = all.filter(({ name }) => name === 'postgres');
  const of = (pid: number | undefined) => all.find((each) => each.pid === pid)?.seconds ?? 0;
  return {
    machine: (user! + nice! + system!) / 100,
    agent: of(federation.agents.get('bench')!.child.pid),
    broker: of(federation.broker.child.pid),
    postgres: postgres.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

function processes(): { pid: number; name: string; seconds: number }[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) return [];
    try {
      const [, name, rest] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))!;
      const fields = rest!.split(' ');
      return [{ pid, name: name!, seconds: (Number(fields[11]) + Number(fields[12])) / 100 }];
    } catch {
      return []; // it has ended
    }
  });
}

function minus(after: Busy, before: Busy): Busy {
  const names = Object.keys(after) as (keyof Busy)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as Busy;
}

function perJobMs(busy: Busy, names: readonly (keyof Busy)[]): string {
  return names.map((name) => `${name} ${((busy[name] * 1000) / JOBS).toFixed(1)} ms`).join(', ');
}
