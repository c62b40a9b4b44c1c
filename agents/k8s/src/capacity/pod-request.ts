import type { Condition, Container, ContainerStatus, Pod, Quantities } from '../api-types.ts';
import { milli, units } from './quantity.ts';

export type PodRequest = { readonly cpuMilli: number; readonly memoryBytes: number; readonly gpus: number };

const NOTHING: PodRequest = { cpuMilli: 0, memoryBytes: 0, gpus: 0 };

/**
 * What the scheduler takes a pod for (component-helpers v0.34, resource/helpers.go, PodRequests; KEP-753): all containers and
 * sidecars together, or, if it is more, one init container beside the sidecars before it; the pod's own requests instead where it
 * has them; then the overhead of its runtime class.
 */
export function podRequest({ spec, status = {} }: Pick<Pod, 'spec' | 'status'>, gpuResource: string): PodRequest {
  const states = resizable([...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])]);
  const mayGrow = !status.conditions?.some(isInfeasibleResize);
  const size = (quantities: Quantities | undefined) => sizeOf(quantities, gpuResource);
  const resized = (container: Container): PodRequest => {
    const asked = size(container.resources?.requests);
    const state = states.get(container.name);
    if (!state) return asked;
    const given = most(size(state.resources?.requests), size(state.allocatedResources));
    return mayGrow ? most(asked, given) : given;
  };
  let running = spec.containers.map(resized).reduce(plus, NOTHING);
  let sidecars = NOTHING;
  let starting = NOTHING;
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      const sidecar = resized(container);
      running = plus(running, sidecar);
      sidecars = plus(sidecars, sidecar);
      starting = most(starting, sidecars);
    } else starting = most(starting, plus(size(container.resources?.requests), sidecars));
  }
  return plus(ofPod(most(running, starting), spec.resources?.requests), size(spec.overhead));
}

/** Pod-level requests (KEP-2837) exist for CPU and memory; GPUs are always the containers'. */
function ofPod(containers: PodRequest, requests: Quantities = {}): PodRequest {
  return {
    cpuMilli: requests['cpu'] === undefined ? containers.cpuMilli : milli(requests['cpu'], 'up'),
    memoryBytes: requests['memory'] === undefined ? containers.memoryBytes : units(requests['memory'], 'up'),
    gpus: containers.gpus,
  };
}

function sizeOf(quantities: Quantities | undefined, gpuResource: string): PodRequest {
  if (!quantities) return NOTHING;
  return {
    cpuMilli: milli(quantities['cpu'], 'up'),
    memoryBytes: units(quantities['memory'], 'up'),
    gpus: units(quantities[gpuResource], 'up'),
  };
}

/** What the kubelet says that containers have, where it does (since 1.33). */
type Resizable = ContainerStatus & {
  readonly resources?: { readonly requests?: Quantities };
  readonly allocatedResources?: Quantities;
};

function resizable(states: readonly Resizable[]): ReadonlyMap<string, Resizable> {
  return new Map(states.filter(({ resources }) => resources !== undefined).map((state) => [state.name, state]));
}

/** A resize that the node can never give counts as what the pod has. */
function isInfeasibleResize({ type, reason }: Condition): boolean {
  return type === 'PodResizePending' && reason === 'Infeasible';
}

function plus(left: PodRequest, right: PodRequest): PodRequest {
  return {
    cpuMilli: left.cpuMilli + right.cpuMilli,
    memoryBytes: left.memoryBytes + right.memoryBytes,
    gpus: left.gpus + right.gpus,
  };
}

function most(left: PodRequest, right: PodRequest): PodRequest {
  return {
    cpuMilli: Math.max(left.cpuMilli, right.cpuMilli),
    memoryBytes: Math.max(left.memoryBytes, right.memoryBytes),
    gpus: Math.max(left.gpus, right.gpus),
  };
}
