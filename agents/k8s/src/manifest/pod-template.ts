import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { Container, PodTemplate, Toleration } from '../api-types.ts';
import type { KubernetesConfig } from '../config.ts';
import { CONTAINER, SCRIPT_ANNOTATION } from '../names.ts';
import type { KubernetesOptions } from '../native-options.ts';
import { affinityOf } from './affinity.ts';
import { environmentOf } from './environment.ts';
import { commandOf, goWaitSeconds } from './launcher.ts';
import type { PodPlace } from './pod-place.ts';
import { type PodSize, requirementsOf } from './resources.ts';
import { claimedVolumes, sharedMemoryVolume, temporaryVolume, yardVolume } from './volumes.ts';

/** Everything that was decided of a run's pods. */
export type PodPlan = {
  readonly order: RunOrder;
  readonly cluster: string;
  readonly image: string;
  readonly options: KubernetesOptions;
  readonly place: PodPlace;
  readonly size: PodSize;
  readonly labels: Readonly<Record<string, string>>;
};

/**
 * The pod of a run. It passes Pod Security `restricted`: whatever a job says, it is not root, gains no rights, has no capabilities,
 * no token, and nothing of the host.
 */
export function podTemplateOf(plan: PodPlan, config: KubernetesConfig): PodTemplate {
  const { order, place, labels } = plan;
  const { script } = order.spec;
  const mounted = mountedVolumes(plan, config);
  return {
    metadata: { labels, ...(script === undefined ? {} : { annotations: { [SCRIPT_ANNOTATION]: script } }) },
    spec: {
      restartPolicy: 'Never',
      ...deadline(plan, config),
      terminationGracePeriodSeconds: config.terminationGraceSeconds,
      ...(plan.size.nodes > 1 ? { subdomain: order.marker } : {}),
      ...(place.serviceAccount === null ? {} : { serviceAccountName: place.serviceAccount }),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      // As process 1 of its own namespace a payload would be deaf to every signal that it does not handle: TERM would do nothing until
      // KILL, and it could not die of its own SEGV.
      shareProcessNamespace: true,
      ...(config.imagePullSecrets.length === 0
        ? {}
        : { imagePullSecrets: config.imagePullSecrets.map((name) => ({ name })) }),
      ...(place.priorityClass === null ? {} : { priorityClassName: place.priorityClass }),
      ...(Object.keys(place.nodeSelector).length === 0 ? {} : { nodeSelector: place.nodeSelector }),
      ...affinityOf(order.spec.constraints.features ?? [], plan.size.nodes > 1 ? order.runId : null),
      tolerations: [...lostNode(config), ...place.tolerations],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: config.runAsUser,
        runAsGroup: config.runAsGroup,
        // Without the policy, every start walks through the whole volume.
        ...(config.fsGroup === undefined ? {} : { fsGroup: config.fsGroup, fsGroupChangePolicy: 'OnRootMismatch' }),
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [container(plan, config, mounted)],
      volumes: mounted.map(({ volume }) => volume),
    },
  };
}

function container(plan: PodPlan, config: KubernetesConfig, mounted: ReturnType<typeof mountedVolumes>): Container {
  const { order, cluster, image, options, size } = plan;
  const { workdir } = order.spec;
  return {
    name: CONTAINER,
    image,
    imagePullPolicy: config.imagePullPolicy,
    ...commandOf(order, { nodes: size.nodes, gangSeconds: config.gangSeconds }),
    ...(workdir === undefined ? {} : { workingDir: workdir }),
    env: environmentOf(order, { cluster, nodes: size.nodes }),
    resources: requirementsOf(size, config, options.ephemeralStorageMiB),
    volumeMounts: mounted.map(({ mount }) => mount),
    securityContext: {
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

function mountedVolumes({ order: { spec }, options, size }: PodPlan, config: KubernetesConfig) {
  return [
    temporaryVolume(),
    ...yardVolume({ script: spec.script !== undefined, gang: size.nodes > 1 }),
    ...(options.shmSizeMiB === null ? [] : [sharedMemoryVolume(options.shmSizeMiB)]),
    ...claimedVolumes(spec, config),
  ];
}

/**
 * The walltime, on the pod: a Job's own clock also runs while it waits. The nodes of a gang wait for each other on theirs, so
 * that they get as much more; with the word to go it may be lowered to what is left, which the API allows.
 */
function deadline({ order, size }: PodPlan, { gangSeconds }: KubernetesConfig) {
  const { walltimeSeconds } = order.spec.resources;
  if (walltimeSeconds === undefined) return {};
  return { activeDeadlineSeconds: walltimeSeconds + (size.nodes > 1 ? goWaitSeconds(gangSeconds) : 0) };
}

/** Instead of the 300 s that the API server would add. */
function lostNode({ lostNodeSeconds }: KubernetesConfig): Toleration[] {
  return ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: lostNodeSeconds,
  }));
}
