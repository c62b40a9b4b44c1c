import type { Pod, Toleration } from '../api-types.ts';
import { type PodRequest, podRequest } from './pod-request.ts';

/** The little of a pod that counts for anybody else's. */
export type PodUse = PodRequest & {
  /** Empty: not bound yet. */
  readonly nodeName: string;
  /** Of a DaemonSet or of the node itself: there whatever else runs, and no job. */
  readonly isBackground: boolean;
  /** Held back by whoever made it, so that it is nobody's competitor yet. */
  readonly isGated: boolean;
  /** Unix time at the latest, if there is any such time. */
  readonly endSecond: number | null;
  /** CPUs × the limit of time. */
  readonly cpuSeconds: number;
  readonly nodeSelector: { readonly [label: string]: string };
  readonly tolerations: readonly Toleration[];
};

/** A pod without any limit is taken for a day: it must count for something. */
const UNLIMITED_SECONDS = 86_400;
/** A year or so: sums of thousands of the largest are still whole Numbers. */
const MOST_SECONDS = 2 ** 25;

/** Null: it has ended and holds nothing. */
export function podUse({ metadata, spec, status }: Pod, gpuResource: string): PodUse | null {
  if (status?.phase === 'Succeeded' || status?.phase === 'Failed') return null;
  const { nodeName = '', activeDeadlineSeconds: limit, nodeSelector = {}, tolerations = [] } = spec;
  const request = podRequest({ spec, ...(status ? { status } : {}) }, gpuResource);
  return {
    ...request,
    ...{ nodeName, nodeSelector, tolerations },
    isBackground: metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet' || kind === 'Node') ?? false,
    isGated: (spec.schedulingGates ?? []).length > 0,
    endSecond: soonest(
      limit === undefined ? null : deadline(seconds(status?.startTime), limit),
      seconds(metadata.deletionTimestamp),
    ),
    cpuSeconds: Math.ceil((request.cpuMilli * Math.min(limit ?? UNLIMITED_SECONDS, MOST_SECONDS)) / 1000),
  };
}

/**
 * The kubelet counts from when it took the pod. Rounded up to a 32nd to a 64th of the limit, so that any number of pods has few
 * ends to tell apart: too late by that much at the most, and never too early.
 */
function deadline(startSecond: number | null, limitSeconds: number): number | null {
  if (startSecond === null) return null;
  const grain = 2 ** Math.floor(Math.log2(Math.max(1, limitSeconds / 32)));
  return Math.ceil((startSecond + limitSeconds) / grain) * grain;
}

function seconds(time: string | undefined): number | null {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? null : Math.ceil(ms / 1000);
}

function soonest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
