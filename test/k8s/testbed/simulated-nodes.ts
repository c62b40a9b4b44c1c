import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startDaemon } from '../../slurm/daemon.ts';
import { until } from '../../support/until.ts';
import { built, cacheEntry } from './cache.ts';
import { environment } from './control-plane.ts';
import type { ClusterParts } from './node.ts';
import type { Taint } from './node-config.ts';
import { podEndStage } from './simulated-pods.ts';

export type SimulatedNodeOptions = {
  /** Of each node. Default 64 CPUs, 256 GiB. */
  cpus?: number;
  memoryMiB?: number;
  labels?: Record<string, string>;
  taints?: readonly Taint[];
  /** How long the pods of Jobs run that do not say it themselves. Default 1; the first call decides for the cluster. */
  jobSeconds?: number;
  /** Stage objects of kwok that replace the one by which pods of Jobs end; the first call decides. */
  exitStages?: readonly object[];
};

const SELECTOR = 'testbed/simulated=yes';
const CREATES_AT_ONCE = 16;
const LOG_PORT = 10_247;

/** Nodes `sim-0`, `sim-1`, … whose kubelet is imitated by kwok; everything else about them is real. */
export function simulatedNodes(parts: ClusterParts): (count: number, options?: SimulatedNodeOptions) => Promise<void> {
  let running = false;
  let known = 0;
  return async (count, options = {}) => {
    if (!running) startKwok(parts, options);
    running = true;
    const names = Array.from({ length: count }, (_, at) => `sim-${known + at}`);
    known += count;
    const left = names[Symbol.iterator]();
    const createLeft = async () => {
      for (const name of left) await create(parts, name, options);
    };
    await Promise.all(Array.from({ length: CREATES_AT_ONCE }, createLeft));
    await until(`${known} simulated nodes are ready`, async () => (await readyCount(parts)) >= known, {
      everyMs: 200,
      timeoutMs: 120_000,
    });
  };
}

function startKwok(parts: ClusterParts, options: SimulatedNodeOptions): void {
  const { dir, network, adminKubeconfig } = parts;
  const config = join(dir, 'kwok.yaml');
  writeFileSync(
    config,
    [...podStages(options).map((each) => JSON.stringify(each)), ...kwokStages(), logs(dir)].join('\n---\n'),
  );
  const flags = [
    `--kubeconfig=${adminKubeconfig}`,
    `--config=${config}`,
    '--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake',
    `--node-ip=${network.address}`,
    `--node-port=${LOG_PORT}`,
    `--tls-cert-file=${join(dir, 'server.crt')}`,
    `--tls-private-key-file=${join(dir, 'server.key')}`,
    `--node-lease-duration-seconds=${Math.min(40, parts.graceSeconds)}`,
    '--cidr=10.200.0.0/16',
  ];
  const argv = [...network.inside, built('kwok'), ...flags];
  parts.daemons.push(startDaemon(argv, environment(dir), join(dir, 'log', 'kwok.log')));
}

function podStages(options: SimulatedNodeOptions): readonly object[] {
  return options.exitStages ?? [podEndStage(options.jobSeconds ?? 1)];
}

/** kwok's own, by which a pod starts and goes; a configuration that names any stage of a pod must name all. */
function kwokStages(): string[] {
  const folder = join(cacheEntry(), 'kwok-stages');
  const files = readdirSync(folder).filter((file) => file === 'pod-ready.yaml' || file === 'pod-delete.yaml');
  return files.map((file) => readFileSync(join(folder, file), 'utf8'));
}

/** Every simulated container has written the same one line. */
function logs(dir: string): string {
  const file = join(dir, 'simulated.log');
  writeFileSync(file, '2000-01-01T00:00:00.000000000Z stdout F simulated\n');
  const spec = { logs: [{ logsFile: file, follow: false }] };
  return JSON.stringify({ apiVersion: 'kwok.x-k8s.io/v1alpha1', kind: 'ClusterLogs', metadata: { name: 'all' }, spec });
}

async function create(parts: ClusterParts, name: string, options: SimulatedNodeOptions): Promise<void> {
  const { cpus = 64, memoryMiB = 262_144, labels = {}, taints = [] } = options;
  const size = { cpu: String(cpus), memory: `${memoryMiB}Mi`, pods: '1000' };
  const [selectKey, selectValue] = SELECTOR.split('=');
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, [selectKey!]: selectValue, ...labels },
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
    },
    spec: { taints },
    status: { allocatable: size, capacity: size },
  };
  const reply = await parts.client.call('POST', '/api/v1/nodes', node);
  if (reply.status !== 201) throw new Error(`node ${name}: ${reply.status} ${JSON.stringify(reply.body)}`);
}

type Nodes = {
  items: {
    spec: { taints?: { key: string }[] };
    status: { conditions?: { type: string; status: string }[] };
  }[];
};

/** Those that are Ready and that the controller has freed for pods. */
async function readyCount(parts: ClusterParts): Promise<number> {
  const { body } = await parts.client.call<Nodes>('GET', `/api/v1/nodes?labelSelector=${encodeURIComponent(SELECTOR)}`);
  const isReady = (node: Nodes['items'][number]) =>
    node.status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') === true &&
    node.spec.taints?.some((taint) => taint.key.startsWith('node.kubernetes.io/')) !== true;
  return body.items.filter(isReady).length;
}
