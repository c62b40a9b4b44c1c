import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Daemon } from '../slurm/daemon.ts';
import { runProgram } from '../slurm/run-program.ts';
import { built } from './testbed/cache.ts';
import { writeKubeconfig } from './testbed/certificates.ts';
import { removeCgroups } from './testbed/cgroups.ts';
import { type ControlPlane, environment, startControlPlane } from './testbed/control-plane.ts';
import { startDns } from './testbed/dns.ts';
import { IMAGE, makeImages } from './testbed/image.ts';
import { startKueue } from './testbed/kueue.ts';
import { type Network, startNetwork } from './testbed/network.ts';
import { type KubeNode, startNode } from './testbed/node.ts';
import { serviceAccountToken } from './testbed/service-account.ts';
import { sharedVolume } from './testbed/shared-volume.ts';
import { simulatedNodes } from './testbed/simulated-nodes.ts';
import type { KubeCluster, KubeClusterOptions } from './testbed/types.ts';

export { kubernetesAvailable } from './testbed/available.ts';
export type { KubeNode } from './testbed/node.ts';
export type { KubeCluster, KubeClusterOptions } from './testbed/types.ts';

const GRACE_SECONDS = 10;

/** A control plane without nodes. Everything of it lies below one folder and in one network of its own. */
export async function startKubeCluster(options: KubeClusterOptions): Promise<KubeCluster> {
  const dir = mkdtempSync(join(options.dir ?? tmpdir(), `yard-kube-${options.name}-`));
  const graceSeconds = options.nodeMonitorGraceSeconds ?? GRACE_SECONDS;
  let network: Network | undefined;
  let plane: ControlPlane | undefined;
  const nodes = new Map<string, Promise<KubeNode>>();
  const daemons: Daemon[] = [];

  let closed: Promise<void> | undefined;
  // Once: soon after, another cluster may have the same cable.
  const close = () => {
    closed ??= closeAll();
    return closed;
  };
  const closeAll = async () => {
    const all = await Promise.allSettled(nodes.values());
    const ends = [
      ...all.map((node) => (node.status === 'fulfilled' ? node.value.close() : undefined)),
      ...daemons.map((daemon) => daemon.stop('SIGKILL')),
      plane?.close(),
    ];
    const failed = (await Promise.allSettled(ends)).find((end) => end.status === 'rejected');
    await network?.close();
    await removeCgroups(basename(dir));
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    if (failed) throw failed.reason;
  };

  try {
    mkdirSync(join(dir, 'nodes'));
    const [started, images] = await Promise.all([startNetwork(dir), makeImages(dir)]);
    network = started;
    const apiserverFlags = options.apiserverFlags ?? [];
    plane = await startControlPlane(dir, network, { nodeMonitorGraceSeconds: graceSeconds, apiserverFlags });
    return cluster(network, plane, images);
  } catch (error) {
    await close();
    throw error;
  }

  function cluster(network: Network, plane: ControlPlane, images: string): KubeCluster {
    const { client, adminKubeconfig, apiUrl } = plane;
    const { caFile } = plane.certificates;
    const parts = { dir, network, client, adminKubeconfig, images, graceSeconds, daemons };
    let kubeconfigs = 0;
    return {
      name: options.name,
      dir,
      apiUrl,
      caFile,
      adminKubeconfig,
      image: IMAGE,
      kubeconfigFor: async (namespace, serviceAccount, { server = apiUrl, insecure = false } = {}) => {
        const token = await serviceAccountToken(client, namespace, serviceAccount);
        kubeconfigs += 1;
        const file = join(dir, `${namespace}-${serviceAccount}-${kubeconfigs}.kubeconfig`);
        return writeKubeconfig(file, { server, token, namespace, ...(insecure ? {} : { caFile }) });
      },
      api: client.call,
      apply: client.apply,
      kubectl: (args, stdin) =>
        runProgram([built('kube'), 'kubectl', `--kubeconfig=${adminKubeconfig}`, ...args], {
          env: environment(dir),
          ...(stdin === undefined ? {} : { input: stdin }),
        }),
      addNode: (name, nodeOptions = {}) => {
        const node = startNode(parts, nodes.size + 1, name, nodeOptions);
        nodes.set(name, node);
        return node;
      },
      addSimulatedNodes: simulatedNodes(parts),
      startKueue: () => startKueue(parts),
      startDns: () => startDns(parts),
      component: plane.component,
      sharedVolume: (namespace, claim, hostPath) => sharedVolume(client, namespace, claim, hostPath),
      close,
    };
  }
}
