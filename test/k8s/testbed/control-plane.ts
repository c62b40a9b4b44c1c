import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../slurm/daemon.ts';
import { type ApiClient, apiClient } from './api-client.ts';
import { built } from './cache.ts';
import { type Certificates, makeCertificates, writeKubeconfig } from './certificates.ts';
import type { Network } from './network.ts';
import { untilReady } from './until-ready.ts';

export type ComponentName = 'etcd' | 'apiserver' | 'controller-manager' | 'scheduler';

/** One program of the control plane; what it keeps stays when it ends. */
export type Component = {
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Back when it answers. */
  start(): Promise<void>;
  /** Stops it in its tracks, connections stay open (SIGSTOP). */
  pause(): void;
  resume(): void;
};

export type ControlPlane = {
  readonly apiUrl: string;
  readonly certificates: Certificates;
  readonly adminKubeconfig: string;
  readonly client: ApiClient;
  component(name: ComponentName): Component;
  close(): Promise<void>;
};

export type ControlPlaneOptions = { nodeMonitorGraceSeconds: number; apiserverFlags: readonly string[] };

export async function startControlPlane(
  dir: string,
  network: Network,
  options: ControlPlaneOptions,
): Promise<ControlPlane> {
  for (const folder of ['etcd', 'log']) mkdirSync(join(dir, folder));
  const certificates = await makeCertificates(dir, network.address);
  const apiUrl = `https://${network.address}:6443`;
  const token = randomBytes(24).toString('hex');
  const { caFile } = certificates;
  const adminKubeconfig = writeKubeconfig(join(dir, 'admin.kubeconfig'), { server: apiUrl, token, caFile });
  const tokens = join(dir, 'tokens.csv');
  writeFileSync(tokens, `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });
  const client = apiClient({ url: apiUrl, caFile, token });

  const flags: Record<ComponentName, readonly string[]> = {
    etcd: etcdFlags(dir),
    apiserver: [...apiserverFlags(network.address, tokens, certificates), ...options.apiserverFlags],
    'controller-manager': controllerManagerFlags(adminKubeconfig, certificates, options.nodeMonitorGraceSeconds),
    scheduler: schedulerFlags(adminKubeconfig),
  };
  const daemons = new Map<ComponentName, Daemon>();
  const component = (name: ComponentName): Component => ({
    kill: async (signal) => daemons.get(name)?.stop(signal),
    start: async () => {
      if (daemons.get(name)?.running()) return;
      const program = name === 'etcd' ? name : `kube-${name}`;
      const argv = [...network.inside, built('kube'), program, ...flags[name]];
      const daemon = startDaemon(argv, environment(dir), join(dir, 'log', `${name}.log`));
      daemons.set(name, daemon);
      if (name === 'apiserver') await untilReady('the API server is ready', daemon, () => isReady(client));
    },
    pause: () => signal(daemons.get(name), 'SIGSTOP'),
    resume: () => signal(daemons.get(name), 'SIGCONT'),
  });
  const close = async () => {
    client.close();
    await Promise.all([...daemons.values()].map((daemon) => daemon.stop('SIGKILL')));
  };

  try {
    // In this order: a controller manager gives up when it has waited ten seconds for the API server.
    for (const name of START_ORDER) await component(name).start();
  } catch (error) {
    await close();
    throw error;
  }
  return { apiUrl, certificates, adminKubeconfig, client, component, close };
}

const START_ORDER = ['etcd', 'apiserver', 'controller-manager', 'scheduler'] as const;

/** Nothing of the caller's environment, whose proxies and kubeconfigs are none of the cluster's business. */
export function environment(dir: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: dir, LANG: 'C.UTF-8', ...more };
}

function etcdFlags(dir: string): string[] {
  const [clients, peers] = ['http://127.0.0.1:2379', 'http://127.0.0.1:2380'];
  return [
    `--data-dir=${join(dir, 'etcd')}`,
    // A killed process loses nothing by it, only a killed machine would.
    '--unsafe-no-fsync',
    `--listen-client-urls=${clients}`,
    `--advertise-client-urls=${clients}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=default=${peers}`,
    '--log-level=warn',
  ];
}

function apiserverFlags(address: string, tokens: string, certificates: Certificates): string[] {
  return [
    '--etcd-servers=http://127.0.0.1:2379',
    `--bind-address=${address}`,
    `--advertise-address=${address}`,
    '--secure-port=6443',
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    `--service-account-key-file=${certificates.serviceAccountKey}`,
    `--service-account-signing-key-file=${certificates.serviceAccountKey}`,
    `--tls-cert-file=${certificates.serverCertificate}`,
    `--tls-private-key-file=${certificates.serverKey}`,
    `--token-auth-file=${tokens}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged',
    // Else logs fail: it would resolve the node's name.
    '--kubelet-preferred-address-types=InternalIP',
  ];
}

function controllerManagerFlags(kubeconfig: string, certificates: Certificates, graceSeconds: number): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    '--use-service-account-credentials',
    `--service-account-private-key-file=${certificates.serviceAccountKey}`,
    `--root-ca-file=${certificates.caFile}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    `--node-monitor-grace-period=${graceSeconds}s`,
    '--node-monitor-period=1s',
    '--pvclaimbinder-sync-period=1s',
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
  ];
}

function schedulerFlags(kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    '--leader-elect=false',
    '--bind-address=127.0.0.1',
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
  ];
}

async function isReady(client: ApiClient): Promise<boolean> {
  return (await client.call('GET', '/readyz')).status === 200;
}

function signal(daemon: Daemon | undefined, name: NodeJS.Signals): void {
  if (daemon?.running()) process.kill(daemon.pid, name);
}
