import { readdirSync, readFileSync } from 'node:fs';
import { until } from '../../support/until.ts';
import type { KubeCluster } from './types.ts';

/** What a small Job of a test differs in. */
export type JobShape = {
  script: string;
  namespace?: string;
  node?: string;
  labels?: Record<string, string>;
  suspend?: boolean;
  /** More than one makes an Indexed Job whose pods run at the same time. */
  indexes?: number;
  /** More of the pod's and of the container's spec. */
  pod?: object;
  container?: object;
};

/** A Job of the cluster's image that is tried once. */
export function busyJob(cluster: KubeCluster, name: string, shape: JobShape): object {
  const { indexes = 1 } = shape;
  const container = { name: 'main', image: cluster.image, command: ['sh', '-c', shape.script], ...shape.container };
  const placed = shape.node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': shape.node } };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: shape.namespace ?? 'default', labels: shape.labels ?? {} },
    spec: {
      backoffLimit: 0,
      suspend: shape.suspend ?? false,
      completionMode: 'Indexed',
      completions: indexes,
      parallelism: indexes,
      template: { spec: { restartPolicy: 'Never', ...placed, ...shape.pod, containers: [container] } },
    },
  };
}

/** What a namespace with the standard `restricted` wants of a container. */
export function restrictedContainer(user: number): object {
  return {
    securityContext: {
      runAsUser: user,
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

type Job = { status: { conditions?: { type: string; status: string }[] } };
type Pod = {
  metadata: { name: string };
  spec: { nodeName: string };
  status: { phase: string; containerStatuses?: { state: { terminated?: { exitCode: number } } }[] };
};

/** `Complete` or `Failed` of each Job, once all have come to it. */
export function ends(cluster: KubeCluster, namespace: string, names: readonly string[]): Promise<string[]> {
  const endOf = async (name: string) => {
    const { body } = await cluster.api<Job>('GET', `/apis/batch/v1/namespaces/${namespace}/jobs/${name}`);
    const isEnd = (type: string) => type === 'Complete' || type === 'Failed';
    return body.status.conditions?.find((each) => each.status === 'True' && isEnd(each.type))?.type;
  };
  return until(
    `the Jobs ${names.join(', ')} have ended`,
    async () => {
      const all = await Promise.all(names.map(endOf));
      return all.every((each) => each !== undefined) && all;
    },
    {
      everyMs: 100,
      describe: async () => (await cluster.kubectl(['describe', 'jobs,pods', '-n', namespace])).stdout.slice(-3000),
    },
  );
}

export async function podsOf(cluster: KubeCluster, namespace: string, job: string): Promise<Pod[]> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=job-name%3D${job}`;
  return (await cluster.api<{ items: Pod[] }>('GET', path)).body.items;
}

export async function exitCodes(cluster: KubeCluster, namespace: string, job: string): Promise<(number | undefined)[]> {
  const pods = await podsOf(cluster, namespace, job);
  return pods.map((pod) => pod.status.containerStatuses?.[0]?.state.terminated?.exitCode);
}

/** The log of the Job's only pod. */
export async function logOf(cluster: KubeCluster, namespace: string, job: string): Promise<string> {
  const [pod] = await podsOf(cluster, namespace, job);
  return (await cluster.api<string>('GET', `/api/v1/namespaces/${namespace}/pods/${pod?.metadata.name}/log`)).body;
}

/** Kueue objects for one queue with so many CPUs; `more` of its ClusterQueue. */
export function kueueQueue(
  name: string,
  cpus: string,
  { namespace = 'default', more = {} }: { namespace?: string; more?: object } = {},
): object[] {
  const object = (kind: string, spec: object, namespace?: string) => ({
    apiVersion: 'kueue.x-k8s.io/v1beta1',
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    spec,
  });
  const quota = [
    { name: 'cpu', nominalQuota: cpus },
    { name: 'memory', nominalQuota: '64Gi' },
  ];
  return [
    object('ResourceFlavor', {}),
    object('ClusterQueue', {
      namespaceSelector: {},
      resourceGroups: [{ coveredResources: ['cpu', 'memory'], flavors: [{ name, resources: quota }] }],
      ...more,
    }),
    object('LocalQueue', { clusterQueue: name }, namespace),
  ];
}

/** Processes that were started from below a folder or that see a mount of it in a namespace of their own. */
export function processesBelow(folder: string): string[] {
  const own = read('self', 'mountinfo');
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .filter((pid) => {
      const mounts = read(pid, 'mountinfo');
      return read(pid, 'cmdline').includes(folder) || (mounts !== own && mounts.includes(folder));
    })
    .map((pid) => `${pid} ${read(pid, 'cmdline').replaceAll('\0', ' ')}`);
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
