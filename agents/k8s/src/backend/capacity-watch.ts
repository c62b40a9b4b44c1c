import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import type { Node, Pod, ResourceQuota } from '../api-types.ts';
import { capacityReport, type Sight } from '../capacity/capacity-report.ts';
import { capacitySettings } from '../capacity/capacity-settings.ts';
import { CapacityStore } from '../capacity/capacity-store.ts';
import type { Sink } from '../client/informer.ts';
import { type Informer, startInformer } from '../client/informer.ts';
import type { KubeClient } from '../client/kube-client.ts';
import { kueuePath } from '../kueue/detect-kueue.ts';
import type { ClusterQueue, Cohort, LocalQueue } from '../kueue/kueue-types.ts';
import { queuePools } from '../kueue/queue-pools.ts';
import { namespacesOf, queuesOf } from '../manifest/binding.ts';
import { federationSelector, othersSelector } from '../names.ts';
import { objectPath } from '../object-path.ts';
import { isKube } from './kube-objects.ts';
import type { KubeState } from './kube-state.ts';
import { ofLiveNamespaces } from './live-namespaces.ts';

/** What the cluster has, kept by watches from the first time somebody asks. */
export type CapacityWatch = {
  /** Counts the pods of our own runs, which are followed already: one for each list of them. */
  ownPods(): Sink<Pod>;
  report(): Promise<CapacityReport>;
  close(): Promise<void>;
};

type Started = { readonly sight: Sight; readonly software: string; readonly informers: readonly Informer[] };

/** How long the first report waits for the lists. */
const FIRST_LISTS_MS = 20_000;

export function capacityWatch(state: KubeState): CapacityWatch {
  const { client, config, patience } = state;
  const settings = capacitySettings(config);
  const store = new CapacityStore(settings);
  let starting: Promise<Started> | null = null;
  const begin = () => {
    starting ??= start(state, store).catch((error: unknown) => {
      starting = null;
      throw error;
    });
    return starting;
  };
  return {
    ownPods: () => store.pods(),
    report: async () => {
      const started = await begin();
      const { sight, software } = started;
      const informers = [...started.informers, ...ofLiveNamespaces(state.informers)];
      await Promise.race([Promise.all(informers.map((informer) => informer.synced())), late()]);
      const silentMs = Math.max(0, ...ofLiveNamespaces(informers).map((informer) => informer.silentMs()));
      if (silentMs > patience.silenceMs)
        throw new Error(`the API server has not been heard for ${Math.round(silentMs / 1000)} s`);
      const report = capacityReport(store.snapshot(), settings, { sight, software, nowMs: state.now() });
      return withQueues(state, client, report);
    },
    close: async () => {
      const started = await starting?.catch(() => null);
      await Promise.all(started?.informers.map((informer) => informer.close()) ?? []);
    },
  };
}

async function late(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error('nodes and pods have not all been listed yet')), FIRST_LISTS_MS).unref();
  });
}

async function start(state: KubeState, store: CapacityStore): Promise<Started> {
  const { client, config } = state;
  const { gitVersion } = await client.request<{ gitVersion: string }>({ verb: 'GET', path: '/version' });
  const namespaces = namespacesOf(config);
  const own = (kind: string) => namespaces.map((namespace) => objectPath('/api/v1', namespace, kind));
  const [nodes, podsOfAll, quotas] = await Promise.all([
    maySee(client, '/api/v1/nodes'),
    maySee(client, '/api/v1/pods'),
    maySee(client, own('resourcequotas')[0]!),
  ]);
  const log = state.options.log ?? { info: () => {}, warn: () => {} };
  const { federation } = state.options;
  const pods = (path: string, labelSelector: string, fieldSelector?: string) =>
    startInformer<Pod>({ client, path, labelSelector, fieldSelector, sink: store.pods(), log });
  const informers = [
    ...(nodes ? [startInformer<Node>({ client, path: '/api/v1/nodes', sink: store.nodes, log })] : []),
    ...(podsOfAll ? ['/api/v1/pods'] : own('pods')).map((path) => pods(path, othersSelector(federation))),
    // What runs on in a namespace that is no longer in the file.
    ...(podsOfAll ? [pods('/api/v1/pods', federationSelector(federation), outsideOf(namespaces))] : []),
    ...(quotas ? own('resourcequotas') : []).map((path) =>
      startInformer<ResourceQuota>({ client, path, sink: store.quotas(), log }),
    ),
  ];
  return { sight: { nodes, podsOfAll, quotas }, software: `kubernetes ${gitVersion}`, informers };
}

function outsideOf(namespaces: readonly string[]): string {
  return namespaces.map((namespace) => `metadata.namespace!=${namespace}`).join(',');
}

async function maySee(client: KubeClient, path: string): Promise<boolean> {
  try {
    await client.request({ verb: 'GET', path, query: { limit: '1' } });
    return true;
  } catch (error) {
    if (isKube(error, 'forbidden')) return false;
    throw error;
  }
}

/** With Kueue, LocalQueues are pools beside the node pools, as they are in the file. */
async function withQueues(state: KubeState, client: KubeClient, report: CapacityReport): Promise<CapacityReport> {
  const kueue = state.queues.kueue();
  const queues = queuesOf(state.config);
  if (kueue === null || queues.length === 0) return report;
  const all = async <T>(path: string): Promise<readonly T[]> => {
    try {
      return (await client.request<{ items?: readonly T[] }>({ verb: 'GET', path })).items ?? [];
    } catch (error) {
      if (isKube(error, 'forbidden') || isKube(error, 'not_found')) return [];
      throw error;
    }
  };
  const namespaces = [...new Set(queues.map(({ namespace }) => namespace))];
  const [localQueues, clusterQueues, cohorts] = await Promise.all([
    Promise.all(namespaces.map((each) => all<LocalQueue>(kueuePath(kueue.version, 'localqueues', each)))),
    all<ClusterQueue>(kueuePath(kueue.version, 'clusterqueues')),
    kueue.cohorts ? all<Cohort>(kueuePath(kueue.version, 'cohorts')) : [],
  ]);
  const stores = state.queues.stores();
  const demandOf = (namespace: string, queue: string) =>
    stores.get(namespace)?.demandOf(namespace, queue) ?? { waiting: 0, cpuMilli: 0, cpuMilliSeconds: 0 };
  const nodes = report.pools.find(({ isDefault }) => isDefault) ?? report.pools[0];
  if (nodes === undefined) return report;
  const snapshot = { localQueues: localQueues.flat(), clusterQueues, cohorts, demandOf };
  const { pools, notes } = queuePools(snapshot, queues, nodes, state.config.gpuResource);
  const others = report.pools.map((pool) => ({ ...pool, isDefault: false }));
  return { ...report, pools: [...pools, ...others], notes: [...report.notes, ...notes] };
}
