import type { Node, Pod, ResourceQuota, Taint, Toleration } from '../../api-types.ts';

const GPU = 'nvidia.com/gpu';

type NodeTraits = {
  readonly uid?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly pods?: string;
  readonly gpus?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly isReady?: boolean;
  readonly isCordoned?: boolean;
  readonly taints?: readonly Taint[];
};

/** A node as the API server tells it: 8 CPUs, 16 GiB and 110 pods unless said otherwise. */
export function testNode(name: string, traits: NodeTraits): Node {
  const {
    cpu = '8',
    memory = '16Gi',
    pods = '110',
    gpus,
    labels = {},
    isReady = true,
    isCordoned,
    taints = [],
  } = traits;
  return {
    metadata: { name, uid: traits.uid ?? name, labels },
    spec: { ...(isCordoned ? { unschedulable: true } : {}), taints },
    status: {
      allocatable: { cpu, memory, pods, ...(gpus === undefined ? {} : { [GPU]: gpus }) },
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'Unknown' }],
    },
  };
}

type PodTraits = {
  readonly uid?: string;
  readonly nodeName?: string;
  readonly cpu?: string;
  readonly memory?: string;
  readonly gpus?: string;
  readonly phase?: NonNullable<Pod['status']>['phase'];
  readonly limitSeconds?: number | undefined;
  readonly startTime?: string;
  readonly isDaemon?: boolean;
  readonly isGated?: boolean;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly Toleration[];
};

export function testPod(name: string, traits: PodTraits): Pod {
  const {
    nodeName,
    cpu = '100m',
    memory = '64Mi',
    gpus,
    phase,
    limitSeconds,
    nodeSelector = {},
    tolerations = [],
  } = traits;
  const requests = { cpu, memory, ...(gpus === undefined ? {} : { [GPU]: gpus }) };
  const owner = {
    apiVersion: 'apps/v1',
    kind: traits.isDaemon ? 'DaemonSet' : 'ReplicaSet',
    name: 'owner',
    uid: 'owner',
  };
  return {
    metadata: { name, namespace: 'jobs', uid: traits.uid ?? name, ownerReferences: [owner] },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(limitSeconds === undefined ? {} : { activeDeadlineSeconds: limitSeconds }),
      ...(traits.isGated ? { schedulingGates: [{ name: 'gate' }] } : {}),
      ...{ nodeSelector, tolerations },
      containers: [{ name: 'main', resources: { requests, limits: requests } }],
    },
    status: {
      phase: phase ?? (nodeName === undefined ? 'Pending' : 'Running'),
      ...(nodeName === undefined ? {} : { startTime: traits.startTime ?? '2026-11-21T12:00:00Z' }),
    },
  };
}

export function testQuota(
  name: string,
  hard: Readonly<Record<string, string>>,
  used: Readonly<Record<string, string>> = {},
  spec: ResourceQuota['spec'] = {},
): ResourceQuota {
  return { metadata: { name, namespace: 'jobs', uid: name }, spec: { hard, ...spec }, status: { hard, used } };
}
