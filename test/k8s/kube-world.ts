import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { kubeBackend } from '@switchyard/agent-k8s/backend/kube-backend.ts';
import type { KubeBackendOptions, Patience } from '@switchyard/agent-k8s/backend/kube-state.ts';
import { openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { type KubernetesConfigInput, kubernetesConfigSchema } from '@switchyard/agent-k8s/config.ts';
import type { Backend } from '@switchyard/agent-runtime/backend.ts';
import { type KubeCluster, startKubeCluster } from './testbed.ts';

export const JOBS = 'switchyard-jobs';
export const CPUS = 4;
/** The node of the pool that jobs go to unless they name another; the second is for jobs of two nodes. */
const FIRST = 'n1';

const SHIPPED = join(import.meta.dirname, '../../deploy/kubernetes/agent');

/** Seconds where the agent itself waits minutes. */
const SHORT: Partial<Patience> = { lateCreateMs: 3000, secondLookMs: 500, refusedPodsMs: 3000, quarantineMs: 2000 };

export type KubeWorld = {
  readonly kube: KubeCluster;
  /** Seen by the agent and by all pods under the same path. */
  readonly workdir: string;
  /** An agent with the shipped rights and nothing more; another `name` is another state directory. */
  open(options?: AgentOptions): Promise<Backend>;
  close(): Promise<void>;
};

export type AgentOptions = {
  readonly name?: string;
  readonly federation?: string;
  readonly config?: Partial<KubernetesConfigInput>;
  readonly patience?: Partial<Patience>;
  readonly faults?: NonNullable<KubeBackendOptions['faults']>;
  /** Of a proxy in front of the API server. */
  readonly server?: string;
};

/** A cluster of two real nodes, as an administrator prepares it: the shipped namespaces and rights, and a shared volume. */
export async function kubeWorld(
  name: string,
  setUp: (kube: KubeCluster) => Promise<void> = async () => {},
): Promise<KubeWorld> {
  const kube = await startKubeCluster({ name });
  // Not below /tmp, which every pod has for itself.
  const workdir = mkdtempSync('/var/tmp/yard-work-');
  chmodSync(workdir, 0o777);
  const close = async () => {
    await kube.close();
    rmSync(workdir, { recursive: true, force: true });
  };
  try {
    await applyFile(kube, 'namespaces.yaml');
    await applyFile(kube, 'rbac.yaml');
    await Promise.all([
      kube.addNode(FIRST, { cpus: CPUS, memoryMiB: 16_384, labels: { pool: 'one' } }),
      kube.addNode('n2', { cpus: CPUS, memoryMiB: 16_384, labels: { pool: 'two' } }),
    ]);
    await kube.sharedVolume(JOBS, 'work', workdir);
    await setUp(kube);
  } catch (error) {
    await close();
    throw error;
  }
  const open = async ({ name: agent = 'agent', federation = 'test', config, server, ...rest }: AgentOptions = {}) => {
    const kubeconfig = await kube.kubeconfigFor(
      'switchyard',
      'switchyard-agent',
      server === undefined ? {} : { server },
    );
    const parsed = kubernetesConfigSchema.parse({
      kubeconfig,
      namespace: JOBS,
      defaultImage: kube.image,
      allowedImages: ['*'],
      volumes: { work: { claim: 'work', mountPath: workdir } },
      pools: { one: { nodeSelector: { pool: 'one' } }, both: {} },
      defaultPool: 'one',
      maxCpusPerTask: 64,
      defaultMemoryMiB: 64,
      terminationGraceSeconds: 3,
      ...config,
    });
    const client = await openKubeClient({ ...parsed });
    const stateDir = join(kube.dir, agent);
    mkdirSync(stateDir, { recursive: true });
    const log = process.env['YARD_TEST_LOG'] ? console : { info: () => {}, warn: () => {} };
    return kubeBackend({
      ...{ client, config: parsed, stateDir, cluster: name, federation, log },
      ...rest,
      patience: { ...SHORT, ...rest.patience },
    });
  };
  return { kube, workdir, open, close };
}

async function applyFile(kube: KubeCluster, file: string): Promise<void> {
  const { code, stderr } = await kube.kubectl(['apply', '-f', '-'], readFileSync(join(SHIPPED, file), 'utf8'));
  if (code !== 0) throw new Error(`${file}: ${stderr}`);
}

/** Kueue with one LocalQueue whose quota is what the first node has. */
export async function withKueue(kube: KubeCluster): Promise<void> {
  await kube.startKueue();
  const resources = [
    { name: 'cpu', nominalQuota: String(CPUS) },
    { name: 'memory', nominalQuota: '16Gi' },
  ];
  await kube.apply([
    kueue('ResourceFlavor', 'any'),
    kueue('ClusterQueue', 'jobs', {
      namespaceSelector: {},
      preemption: { withinClusterQueue: 'LowerPriority' },
      resourceGroups: [{ coveredResources: ['cpu', 'memory'], flavors: [{ name: 'any', resources }] }],
    }),
    kueue('LocalQueue', QUEUE, { clusterQueue: 'jobs' }, JOBS),
  ]);
}

export const QUEUE = 'jobs';

function kueue(kind: string, name: string, spec?: object, namespace?: string) {
  const metadata = { name, ...(namespace ? { namespace } : {}) };
  return { apiVersion: 'kueue.x-k8s.io/v1beta1', kind, metadata, ...(spec ? { spec } : {}) };
}
