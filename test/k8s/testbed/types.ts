import type { ApiReply } from './api-client.ts';
import type { Component, ComponentName } from './control-plane.ts';
import type { KubeNode, NodeOptions } from './node.ts';
import type { SimulatedNodeOptions } from './simulated-nodes.ts';

export type KubeClusterOptions = {
  name: string;
  /** Where its folder is made; default: the machine's folder for temporary files. */
  dir?: string;
  /** How long a silent node counts as healthy. Default 10; Kubernetes' own is 50. */
  nodeMonitorGraceSeconds?: number;
  /** More flags of kube-apiserver. */
  apiserverFlags?: readonly string[];
};

/** A real Kubernetes: its own etcd, API server, controller manager and scheduler, and the nodes that are added. */
export type KubeCluster = {
  readonly name: string;
  readonly dir: string;
  readonly apiUrl: string;
  /** Of the authority; the server's certificate is also valid for 127.0.0.1, where a proxy may listen. */
  readonly caFile: string;
  /** The file of a cluster-admin. */
  readonly adminKubeconfig: string;
  /** Busybox with all its names, on every node; runs as any user. */
  readonly image: string;
  /**
   * A kubeconfig file of a service account, which is made if there is none. What a program under test runs with; `server`
   * is for a proxy in front, `insecure` for one with a certificate of its own.
   */
  kubeconfigFor(
    namespace: string,
    serviceAccount: string,
    options?: { server?: string; insecure?: boolean },
  ): Promise<string>;
  /** One request as cluster-admin, whatever its answer. */
  api<T>(method: string, path: string, body?: unknown, options?: { contentType?: string }): Promise<ApiReply<T>>;
  /** Creates the objects or brings them to this state, in order. */
  apply(objects: readonly object[]): Promise<void>;
  /** kubectl as cluster-admin, to its end, whatever its exit code. */
  kubectl(
    args: readonly string[],
    stdin?: string,
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
  /** A node that runs containers; back when it is Ready. */
  addNode(name: string, options?: NodeOptions): Promise<KubeNode>;
  /** Nodes `sim-0`, `sim-1`, … that only say that they run pods; see `simulated-nodes.ts` for what their pods do. */
  addSimulatedNodes(count: number, options?: SimulatedNodeOptions): Promise<void>;
  /** Kueue with batch/job; queues are for the test to make. */
  startKueue(): Promise<void>;
  /** Names of services and pods, in pods with the default dnsPolicy. */
  startDns(): Promise<void>;
  component(name: ComponentName): Component;
  /** A bound PersistentVolumeClaim on a folder of the host. */
  sharedVolume(namespace: string, claim: string, hostPath: string): Promise<void>;
  /** Ends everything that belongs to the cluster and removes its folder. */
  close(): Promise<void>;
};
