import { type Sink, startInformer } from '@switchyard/agent-k8s/client/informer.ts';
import type { KubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { JOBS } from './kube-site.ts';
import { restrictedContainer } from './testbed/test-jobs.ts';
import type { KubeCluster } from './testbed.ts';

export type Versions = ReadonlyMap<string, string>;

/** What an informer of the agent believes to be there, by UID and version. */
export function followKind(client: KubeClient, path: string) {
  type Kept = { metadata: { uid: string; resourceVersion: string } };
  let kept = new Map<string, string>();
  const sink: Sink<Kept> = {
    begin: () => {
      kept = new Map();
    },
    put: ({ metadata }) => void kept.set(metadata.uid, metadata.resourceVersion),
    remove: ({ metadata }) => void kept.delete(metadata.uid),
    synced: () => {},
  };
  const informer = startInformer<Kept>({ client, path, sink, log: { info: () => {}, warn: () => {} } });
  return { path, kept: (): Versions => kept, close: informer.close };
}

/** The same, as the server has it. */
export async function versionsOf(kube: KubeCluster, path: string): Promise<Versions> {
  type List = { items: { metadata: { uid: string; resourceVersion: string } }[] };
  const { body } = await kube.api<List>('GET', path);
  return new Map(body.items.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]));
}

export function pathOfKind(kind: string): string {
  if (kind === 'nodes') return '/api/v1/nodes';
  return `${GROUPS[kind] ?? '/api/v1'}/namespaces/${JOBS}/${kind}`;
}

const GROUPS: Record<string, string> = { jobs: '/apis/batch/v1', workloads: '/apis/kueue.x-k8s.io/v1beta1' };

/** Of every kind an object goes and one is made, or one is changed. Nothing of it ever runs. */
export async function changeKinds(kube: KubeCluster, kinds: readonly string[], round: number): Promise<void> {
  const metadata = { name: `change-${round % 5}`, labels: { round: String(round) } };
  const container = { name: 'main', image: kube.image, ...restrictedContainer(1000) };
  const pod = { restartPolicy: 'Never', nodeSelector: { no: 'node' }, containers: [container] };
  const objects: Record<string, object> = {
    resourcequotas: { spec: { hard: { 'count/secrets': '100' } } },
    jobs: { spec: { suspend: true, template: { spec: pod } } },
    pods: { spec: pod },
    events: { involvedObject: { namespace: JOBS, name: 'x' }, reason: 'Test' },
    workloads: {
      ...{ apiVersion: 'kueue.x-k8s.io/v1beta1', kind: 'Workload' },
      spec: { queueName: 'nowhere', podSets: [{ name: 'main', count: 1, template: { spec: pod } }] },
    },
  };
  for (const kind of kinds) {
    const path = pathOfKind(kind);
    if (kind === 'nodes') {
      const contentType = 'application/merge-patch+json';
      await kube.api('PATCH', `${path}/n1`, { metadata: { labels: metadata.labels } }, { contentType });
      continue;
    }
    const options = { propagationPolicy: 'Background', gracePeriodSeconds: 0 };
    await kube.api('DELETE', `${path}/${metadata.name}`, options);
    await kube.api('POST', path, { ...objects[kind], metadata });
  }
}
