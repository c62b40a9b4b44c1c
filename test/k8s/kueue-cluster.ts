import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '@switchyard/agent-k8s/api-types.ts';
import { type OpenedKubeClient, openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { kueuePath } from '@switchyard/agent-k8s/kueue/detect-kueue.ts';
import type { ClusterQueue, QueuedJob } from '@switchyard/agent-k8s/kueue/kueue-types.ts';
import { withStartGate } from '@switchyard/agent-k8s/start/start-claim.ts';
import { until } from '../support/until.ts';
import { type KubeCluster, startKubeCluster } from './testbed.ts';

export const JOBS = '/apis/batch/v1/namespaces/jobs/jobs';
export const PODS = '/api/v1/namespaces/jobs/pods';
export const GPU = 'nvidia.com/gpu';

/** The smallest rights that this part of the agent works with. */
const RIGHTS = [
  { apiGroups: ['batch'], resources: ['jobs'], verbs: ['create', 'get', 'list', 'watch', 'patch', 'delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'patch'] },
  { apiGroups: ['kueue.x-k8s.io'], resources: ['workloads'], verbs: ['list', 'watch', 'patch'] },
  { apiGroups: ['kueue.x-k8s.io'], resources: ['localqueues'], verbs: ['list', 'watch'] },
];
const CLUSTER_RIGHTS = [
  { apiGroups: ['kueue.x-k8s.io'], resources: ['clusterqueues', 'cohorts'], verbs: ['list', 'watch'] },
];

/** A cluster with Kueue and five queues of different sizes, and queued Jobs whose payloads say when they start. */
export class KueueCluster {
  readonly cluster: KubeCluster;
  readonly client: OpenedKubeClient;
  #made = 0;

  private constructor(cluster: KubeCluster, client: OpenedKubeClient) {
    this.cluster = cluster;
    this.client = client;
  }

  static async start(name: string): Promise<KueueCluster> {
    const cluster = await startKubeCluster({ name });
    try {
      await setUp(cluster);
      const kubeconfig = await cluster.kubeconfigFor('jobs', 'yard-agent');
      return new KueueCluster(cluster, await openKubeClient({ kubeconfig }));
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.cluster.close();
  }

  /** Nothing of one test is left for the next. */
  async clear(): Promise<void> {
    for (const { metadata } of await this.list<QueuedJob>(JOBS)) {
      await this.cluster.api('DELETE', `${JOBS}/${metadata.name}`, { propagationPolicy: 'Background' });
    }
    await until('no pods', async () => (await this.list(PODS)).length === 0);
    await until('no Workloads', async () => (await this.list(kueuePath('v1beta1', 'workloads', 'jobs'))).length === 0);
  }

  async submit(
    queueName: string,
    options: { script?: string; cpu?: string; urgent?: boolean; gate?: boolean } = {},
  ): Promise<string> {
    this.#made += 1;
    const name = `ydtest-${this.#made}`;
    const resources = { cpu: options.cpu ?? '1', memory: '32Mi' };
    const plain: QueuedJob & object = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name,
        labels: {
          'kueue.x-k8s.io/queue-name': queueName,
          ...(options.urgent ? { 'kueue.x-k8s.io/priority-class': 'urgent' } : {}),
        },
      },
      spec: {
        suspend: true,
        backoffLimit: 0,
        podReplacementPolicy: 'Failed',
        template: {
          spec: {
            restartPolicy: 'Never',
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                name: 'main',
                image: this.cluster.image,
                imagePullPolicy: 'IfNotPresent',
                command: ['sh', '-c', `echo start >>/starts/${name}; ${options.script ?? 'true'}`],
                resources: { requests: resources, limits: resources },
                volumeMounts: [{ name: 'starts', mountPath: '/starts' }],
              },
            ],
            volumes: [{ name: 'starts', persistentVolumeClaim: { claimName: 'starts' } }],
          },
        },
      },
    };
    await this.client.request({
      verb: 'POST',
      path: JOBS,
      body: options.gate === false ? plain : withStartGate(plain),
    });
    return name;
  }

  /** How often the payload of this job has started, by what it left behind. */
  starts(name: string): number {
    try {
      return readFileSync(join(this.cluster.dir, 'starts', name), 'utf8').split('\n').length - 1;
    } catch {
      return 0;
    }
  }

  async list<T>(path: string): Promise<T[]> {
    return (await this.cluster.api<{ items: T[] }>('GET', path)).body.items;
  }

  async podsOf(name: string): Promise<Pod[]> {
    return this.list<Pod>(`${PODS}?labelSelector=batch.kubernetes.io%2Fjob-name%3D${name}`);
  }

  async job(name: string): Promise<QueuedJob> {
    return (await this.cluster.api<QueuedJob>('GET', `${JOBS}/${name}`)).body;
  }

  async hasCondition(name: string, type: string): Promise<boolean> {
    return (
      (await this.job(name)).status?.conditions?.some((each) => each.type === type && each.status === 'True') === true
    );
  }

  async nameOf(name: string) {
    return { namespace: 'jobs', name, uid: (await this.job(name)).metadata.uid! };
  }

  async queue(name: string): Promise<ClusterQueue> {
    return (await this.cluster.api<ClusterQueue>('GET', kueuePath('v1beta1', 'clusterqueues', undefined, name))).body;
  }

  async reserved(name: string): Promise<string | undefined> {
    const total = (await this.queue(name)).status?.flavorsReservation?.[0]?.resources?.find(
      (each) => each.name === 'cpu',
    )?.total;
    return total === undefined ? undefined : String(total);
  }

  async remove(name: string): Promise<void> {
    const uid = (await this.job(name)).metadata.uid;
    await this.client.request({
      verb: 'DELETE',
      path: `${JOBS}/${name}`,
      body: { propagationPolicy: 'Background', preconditions: { uid } },
    });
  }
}

async function setUp(cluster: KubeCluster): Promise<void> {
  await Promise.all([cluster.addNode('n1', { cpus: 16 }), cluster.startKueue()]);
  await cluster.apply([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'jobs' } },
    kueue('ResourceFlavor', 'metal', {}),
    kueue('ClusterQueue', 'one', clusterQueue({ cpu: '1', memory: '1Gi' })),
    kueue('ClusterQueue', 'few', clusterQueue({ cpu: '4', memory: '4Gi' })),
    kueue('ClusterQueue', 'wide', clusterQueue({ cpu: '64', memory: '64Gi' })),
    kueue('ClusterQueue', 'left', clusterQueue({ cpu: '4', memory: '4Gi' }, { cohort: 'both' })),
    kueue('ClusterQueue', 'right', clusterQueue({ cpu: '6', memory: '6Gi' }, { cohort: 'both' })),
    ...['one', 'few', 'wide', 'left', 'right'].map((name) => kueue('LocalQueue', name, { clusterQueue: name }, 'jobs')),
    { ...kueue('WorkloadPriorityClass', 'urgent', {}), value: 100 },
    rbac('Role', { rules: RIGHTS }, 'jobs'),
    rbac('RoleBinding', bindingTo('Role'), 'jobs'),
    rbac('ClusterRole', { rules: CLUSTER_RIGHTS }),
    rbac('ClusterRoleBinding', bindingTo('ClusterRole')),
  ]);
  await cluster.sharedVolume('jobs', 'starts', join(cluster.dir, 'starts'));
}

export function kueue(kind: string, name: string, spec: object, namespace?: string) {
  const metadata = { name, ...(namespace ? { namespace } : {}) };
  return { apiVersion: 'kueue.x-k8s.io/v1beta1', kind, metadata, ...(Object.keys(spec).length > 0 ? { spec } : {}) };
}

function clusterQueue(quota: Record<string, string>, more: object = {}): object {
  const resources = Object.entries(quota).map(([name, nominalQuota]) => ({ name, nominalQuota }));
  return {
    namespaceSelector: {},
    preemption: { withinClusterQueue: 'LowerPriority' },
    resourceGroups: [{ coveredResources: Object.keys(quota), flavors: [{ name: 'metal', resources }] }],
    ...more,
  };
}

function rbac(kind: string, content: object, namespace?: string) {
  const metadata = { name: 'yard-agent', ...(namespace ? { namespace } : {}) };
  return { apiVersion: 'rbac.authorization.k8s.io/v1', kind, metadata, ...content };
}

function bindingTo(kind: string) {
  return {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: 'yard-agent' },
    subjects: [{ kind: 'ServiceAccount', name: 'yard-agent', namespace: 'jobs' }],
  };
}
