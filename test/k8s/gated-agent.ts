import type { Pod } from '@switchyard/agent-k8s/api-types.ts';
import { type Informer, startInformer } from '@switchyard/agent-k8s/client/informer.ts';
import type { OpenedKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { kueuePath } from '@switchyard/agent-k8s/kueue/detect-kueue.ts';
import { type EvictionVerdict, evictionEnd, mustBeDeactivated } from '@switchyard/agent-k8s/kueue/eviction-end.ts';
import type { QueuedJob } from '@switchyard/agent-k8s/kueue/kueue-types.ts';
import { queuedState } from '@switchyard/agent-k8s/kueue/native-state.ts';
import { deactivateWorkloads } from '@switchyard/agent-k8s/kueue/withdraw-workload.ts';
import { WorkloadStore } from '@switchyard/agent-k8s/kueue/workload-store.ts';
import { letPodsGo } from '@switchyard/agent-k8s/start/let-pods-go.ts';
import { hasGate, startClaimOf } from '@switchyard/agent-k8s/start/start-claim.ts';
import { GPU, JOBS, PODS } from './kueue-cluster.ts';

/** What the backend does with the folder kueue/, and no more. */
export type GatedAgent = {
  state(name: string): ReturnType<typeof queuedState>;
  eviction(name: string): EvictionVerdict | undefined;
  readonly store: WorkloadStore;
  hasPod(jobUid: string): boolean;
  close(): Promise<void>;
};

export async function startGatedAgent(client: OpenedKubeClient): Promise<GatedAgent> {
  const jobs = new Map<string, QueuedJob>();
  const pods = new Map<string, Pod>();
  const evictions = new Map<string, EvictionVerdict>();
  const under = new Set<Promise<unknown>>();
  const failures: unknown[] = [];
  const ofJob = (uid: string) => [...jobs.values()].find(({ metadata }) => metadata.uid === uid);
  const look = (seen: QueuedJob | undefined) => {
    if (!seen) return;
    const name = { namespace: 'jobs', name: seen.metadata.name, uid: seen.metadata.uid! };
    const own = [...pods.values()].filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === name.uid);
    const workload = store.ofJob(name.uid);
    const eviction = evictionEnd(seen, workload, {
      live: own.filter((pod) => !hasGate(pod) && !/Succeeded|Failed/.test(pod.status?.phase ?? '')).length,
      held: own.filter((pod) => hasGate(pod) && !pod.metadata.deletionTimestamp).length,
    });
    if (evictions.get(name.name)?.kind !== 'preempted' || eviction.kind === 'preempted')
      evictions.set(name.name, eviction);
    const act = async () => {
      if (eviction.kind === 'none') await letPodsGo(client, name, own);
      if (workload && mustBeDeactivated(seen, workload, eviction)) await deactivateWorkloads(client, 'v1beta1', name);
    };
    const acting: Promise<unknown> = act()
      .catch((error) => failures.push(error))
      .finally(() => under.delete(acting));
    under.add(acting);
  };
  const store = new WorkloadStore({
    gpuResource: GPU,
    isOurs: (name) => name.startsWith('ydtest-'),
    changed: (uid) => look(ofJob(uid)),
  });
  const log = { info: () => {}, warn: () => {} };
  const informers: Informer[] = [
    startInformer({ client, path: kueuePath('v1beta1', 'workloads', 'jobs'), sink: store, log }),
    startInformer({ client, path: JOBS, sink: mapSink(jobs, (seen: QueuedJob) => look(seen)), log }),
    startInformer({
      client,
      path: PODS,
      sink: mapSink(pods, (pod: Pod) => look(ofJob(pod.metadata.ownerReferences?.[0]?.uid ?? ''))),
      log,
    }),
  ];
  await Promise.all(informers.map((informer) => informer.synced()));
  return {
    store,
    state: (name) => {
      const seen = jobs.get(name);
      if (!seen) return null;
      const facts = store.ofJob(seen.metadata.uid!);
      return queuedState(
        seen.metadata.labels?.['kueue.x-k8s.io/queue-name'] ?? '',
        facts,
        startClaimOf(seen),
        facts && store.placeOf(facts),
      );
    },
    eviction: (name) => evictions.get(name),
    hasPod: (uid) => [...pods.values()].some((pod) => pod.metadata.ownerReferences?.[0]?.uid === uid),
    close: async () => {
      await Promise.all(informers.map((informer) => informer.close()));
      await Promise.all(under);
      if (failures.length > 0) throw new AggregateError(failures, 'what the agent did for its Jobs failed');
    },
  };
}

function mapSink<T extends { metadata: { name: string } }>(objects: Map<string, T>, changed: (object: T) => void) {
  return {
    begin: () => objects.clear(),
    put: (object: T) => {
      objects.set(object.metadata.name, object);
      changed(object);
    },
    remove: (object: T) => {
      objects.delete(object.metadata.name);
      changed(object);
    },
    synced: () => {},
  };
}
