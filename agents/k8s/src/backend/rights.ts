/** One thing that the agent asks of the API server, and what it is for. The shipped rules allow these and nothing more. */
export type Right = {
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** In each namespace of jobs, or in the whole cluster. */
  readonly scope: 'namespace' | 'cluster';
  /** Only this object. */
  readonly name?: string;
  /** Asked for only where a LocalQueue is configured. */
  readonly withKueue?: boolean;
  /** Without it the agent works, and says less. */
  readonly optional?: boolean;
  readonly why: string;
};

export const RIGHTS: readonly Right[] = [
  {
    ...{ group: 'batch', resource: 'jobs', scope: 'namespace' },
    ...{ verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'], why: 'a run is a Job' },
  },
  {
    ...{ group: '', resource: 'pods', scope: 'namespace', verbs: ['get', 'list', 'watch', 'patch', 'delete'] },
    why: 'pods are followed, taken back before they start, and ended',
  },
  {
    ...{ group: '', resource: 'pods/log', scope: 'namespace', verbs: ['get'] },
    why: "a job's output is its pod's log",
  },
  {
    ...{ group: '', resource: 'services', scope: 'namespace', verbs: ['create'] },
    why: 'the nodes of a job find each other by the names of a Service',
  },
  {
    ...{ group: '', resource: 'events', scope: 'namespace', verbs: ['list', 'watch'] },
    why: 'events say why pods are refused',
  },
  {
    ...{ group: '', resource: 'resourcequotas', scope: 'namespace', verbs: ['list', 'watch'], optional: true },
    why: 'quotas limit what can start',
  },
  {
    ...{ group: '', resource: 'persistentvolumeclaims', scope: 'namespace', verbs: ['get'], optional: true },
    why: 'this check looks whether the volumes are there',
  },
  {
    ...{ group: '', resource: 'serviceaccounts', scope: 'namespace', verbs: ['get'], optional: true },
    why: 'this check looks whether the service accounts are there',
  },
  {
    ...{ group: '', resource: 'namespaces', scope: 'namespace', verbs: ['get'], optional: true },
    why: 'this check looks at the level of Pod Security',
  },
  {
    ...{ group: '', resource: 'namespaces', scope: 'cluster', verbs: ['get'], name: 'kube-system' },
    why: 'the cluster is known by the UID of kube-system',
  },
  {
    ...{ group: '', resource: 'nodes', scope: 'cluster', verbs: ['list', 'watch'], optional: true },
    why: 'what the cluster has is what its nodes have',
  },
  {
    ...{ group: '', resource: 'pods', scope: 'cluster', verbs: ['list', 'watch'], optional: true },
    why: "what is free is what everybody's pods leave",
  },
  {
    ...{ group: 'kueue.x-k8s.io', resource: 'workloads', scope: 'namespace', verbs: ['list', 'watch', 'patch'] },
    ...{ withKueue: true, why: 'Workloads say what a queued job waits for, and are taken back' },
  },
  {
    ...{ group: 'kueue.x-k8s.io', resource: 'localqueues', scope: 'namespace', verbs: ['list'] },
    ...{ withKueue: true, why: 'a LocalQueue is a pool' },
  },
  {
    ...{ group: 'kueue.x-k8s.io', resource: 'clusterqueues', scope: 'cluster', verbs: ['list'] },
    ...{ withKueue: true, optional: true, why: 'its quota is what is left for a LocalQueue' },
  },
  {
    ...{ group: 'kueue.x-k8s.io', resource: 'cohorts', scope: 'cluster', verbs: ['list'] },
    ...{ withKueue: true, optional: true, why: 'queues of a cohort share their quota' },
  },
];
