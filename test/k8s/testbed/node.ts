import { basename, join } from 'node:path';
import type { Daemon } from '../../slurm/daemon.ts';
import { runProgram } from '../../slurm/run-program.ts';
import { until } from '../../support/until.ts';
import type { ApiClient } from './api-client.ts';
import { built } from './cache.ts';
import { startMachine } from './machine.ts';
import type { Network } from './network.ts';
import { type Taint, writeNodeConfig } from './node-config.ts';
import { untilReady } from './until-ready.ts';

export type NodeOptions = {
  /** What the node shows as allocatable; the host may have less or more. Default: what the host has. */
  cpus?: number;
  memoryMiB?: number;
  labels?: Record<string, string>;
  taints?: readonly Taint[];
};

/** A node that really runs containers. */
export type KubeNode = {
  readonly name: string;
  readonly address: string;
  /** A lost machine: kubelet, containerd, shims and containers end at once, and nobody is told. */
  kill(): Promise<void>;
  /** Only the kubelet; containers go on. */
  killKubelet(signal: NodeJS.Signals): Promise<void>;
  /** Only containerd; containers go on, the kubelet cannot reach them. */
  killContainerd(signal: NodeJS.Signals): Promise<void>;
  pauseKubelet(): Promise<void>;
  resumeKubelet(): Promise<void>;
  /** Starts whatever of the machine, containerd and the kubelet does not run; back when the node is Ready. */
  start(): Promise<void>;
  /** Runs a program on the node's machine, e.g. `ctr -n k8s.io tasks ls`. */
  run(argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  close(): Promise<void>;
};

export type ClusterParts = {
  readonly dir: string;
  readonly network: Network;
  readonly client: ApiClient;
  readonly adminKubeconfig: string;
  readonly images: string;
  readonly graceSeconds: number;
  /** Whatever ends with the cluster. */
  readonly daemons: Daemon[];
};

export async function startNode(
  parts: ClusterParts,
  at: number,
  name: string,
  options: NodeOptions,
): Promise<KubeNode> {
  const { network, client } = parts;
  const dir = join(parts.dir, 'nodes', name);
  const address = await network.addNodeAddress(at);
  const { taints = [], labels } = options;
  const leaseSeconds = Math.min(40, parts.graceSeconds);
  writeNodeConfig({ dir, name, address, dns: network.address, at, taints, leaseSeconds });

  let machine: Awaited<ReturnType<typeof startMachine>> | undefined;
  let containerd: Daemon | undefined;
  let kubelet: Daemon | undefined;

  const startContainerd = async () => {
    const daemon = machine!.start(
      ['containerd', `--config=${join(dir, 'containerd.toml')}`],
      join(dir, 'containerd.log'),
    );
    containerd = daemon;
    await untilReady(`containerd of ${name} has the images`, daemon, async () => (await importImages()).code === 0);
  };
  const importImages = () =>
    run(['ctr', '--namespace=k8s.io', 'images', 'import', '--snapshotter=native', parts.images]);
  const run: KubeNode['run'] = (argv) => runProgram([...machine!.enter, ...argv]);
  const startKubelet = () => {
    const flags = [
      `--config=${join(dir, 'kubelet.json')}`,
      `--kubeconfig=${parts.adminKubeconfig}`,
      `--hostname-override=${name}`,
      `--node-ip=${address}`,
      '--root-dir=/var/lib/kubelet',
    ];
    const size: NodeJS.ProcessEnv = {};
    if (options.cpus !== undefined) size['TESTBED_NODE_CPUS'] = String(options.cpus);
    if (options.memoryMiB !== undefined) size['TESTBED_NODE_MEMORY_MIB'] = String(options.memoryMiB);
    kubelet = machine!.start([built('kube'), 'kubelet', ...flags], join(dir, 'kubelet.log'), size);
  };
  const start = async () => {
    machine ??= await startMachine(dir, network, join(basename(parts.dir), name));
    if (!containerd?.running()) await startContainerd();
    const since = Date.now();
    if (!kubelet?.running()) startKubelet();
    await untilReady(`node ${name} is ready`, kubelet!, () => isReady(client, name, since));
    if (labels) await client.call('PATCH', `/api/v1/nodes/${name}`, { metadata: { labels } }, { contentType: MERGE });
  };
  const kill = async () => {
    await machine?.lose();
    await Promise.all([containerd?.stop('SIGKILL'), kubelet?.stop('SIGKILL')]);
    machine = undefined;
  };
  const end = async (daemon: Daemon | undefined, signal: NodeJS.Signals) => {
    if (daemon === undefined) return;
    await machine?.signal(daemon, signal);
    await until(`a daemon of ${name} has ended`, () => !daemon.running(), { everyMs: 10, timeoutMs: 30_000 });
  };
  try {
    await start();
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    name,
    address,
    kill,
    killKubelet: (signal) => end(kubelet, signal),
    killContainerd: (signal) => end(containerd, signal),
    pauseKubelet: async () => machine?.signal(kubelet!, 'SIGSTOP'),
    resumeKubelet: async () => machine?.signal(kubelet!, 'SIGCONT'),
    start,
    run,
    close: kill,
  };
}

const MERGE = 'application/merge-patch+json';

type NodeObject = {
  spec: { taints?: { key: string }[] };
  status: { conditions?: { type: string; status: string; lastHeartbeatTime: string }[] };
};

/** Ready by a word of this kubelet, not by what an earlier one said, and no longer kept free by the controller. */
async function isReady(client: ApiClient, name: string, since: number): Promise<boolean> {
  const { status, body } = await client.call<NodeObject>('GET', `/api/v1/nodes/${name}`);
  if (status !== 200) return false;
  const ready = body.status.conditions?.find((each) => each.type === 'Ready');
  const kept = body.spec.taints?.some((taint) => taint.key.startsWith('node.kubernetes.io/')) ?? false;
  // The API server's times are whole seconds.
  return ready?.status === 'True' && !kept && Date.parse(ready.lastHeartbeatTime) >= Math.floor(since / 1000) * 1000;
}
