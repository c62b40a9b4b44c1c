import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CNI_PLUGINS } from './available.ts';
import { SANDBOX_IMAGE } from './image.ts';

export type Taint = { key: string; value?: string; effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute' };

export type NodeSettings = {
  /** The node's folder. */
  readonly dir: string;
  readonly name: string;
  readonly address: string;
  /** The cluster's name server. */
  readonly dns: string;
  /** Number of the node in its cluster, from 1. */
  readonly at: number;
  readonly taints: readonly Taint[];
  readonly leaseSeconds: number;
};

/** Writes what containerd, the network plugins and the kubelet of a node read. */
export function writeNodeConfig(node: NodeSettings): void {
  for (const folder of ['lib', 'log', 'cni']) mkdirSync(join(node.dir, folder), { recursive: true });
  writeFileSync(join(node.dir, 'containerd.toml'), containerdConfig(node));
  writeFileSync(join(node.dir, 'cni', '10-pods.conflist'), JSON.stringify(podNetwork(node), null, 1));
  writeFileSync(join(node.dir, 'resolv.conf'), '');
  writeFileSync(join(node.dir, 'kubelet.json'), JSON.stringify(kubeletConfig(node), null, 1));
}

/** Its folders are the defaults: /var/lib and /run are the node's own. */
function containerdConfig(node: NodeSettings): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
[${cri}]
  sandbox_image = "${SANDBOX_IMAGE}"
  # A container may not have the privilege to lower the score.
  restrict_oom_score_adj = true
  disable_tcp_service = true
[${cri}.cni]
  bin_dir = "${CNI_PLUGINS}"
  conf_dir = "${join(node.dir, 'cni')}"
[${cri}.containerd]
  # Plain copies: overlayfs does not stack on every file system, and the image is small.
  snapshotter = "native"
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
`;
}

/** A cable for each pod; the cluster's network namespace is the router between all of them. */
function podNetwork(node: NodeSettings): object {
  const ipam = { type: 'host-local', subnet: `10.244.${node.at}.0/24`, routes: [{ dst: '0.0.0.0/0' }] };
  return { cniVersion: '0.4.0', name: 'pods', plugins: [{ type: 'ptp', ipam }] };
}

function kubeletConfig(node: NodeSettings): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: node.address,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: 'AlwaysAllow' },
    healthzPort: 0,
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    oomScoreAdj: 0,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    makeIPTablesUtilChains: false,
    resolvConf: join(node.dir, 'resolv.conf'),
    clusterDNS: [node.dns],
    clusterDomain: 'cluster.local',
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    // A test is about its own pods, never about how full the disk of the machine is.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
    registerWithTaints: node.taints,
    nodeLeaseDurationSeconds: node.leaseSeconds,
    nodeStatusUpdateFrequency: '1s',
    nodeStatusReportFrequency: '10s',
    syncFrequency: '1s',
    kubeAPIQPS: 200,
    kubeAPIBurst: 400,
    // Pods of one node start side by side even when there are many.
    registryPullQPS: 0,
    maxPods: 200,
  };
}
