import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import { parseMarker } from '@switchyard/core/spec/marker.ts';
import { count, formatRangeSet, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { isArray } from '@switchyard/core/spec/task-set.ts';
import type { Job, JobSpec } from '../api-types.ts';
import type { KubernetesConfig } from '../config.ts';
import {
  FEDERATION_LABEL,
  JOB_LABEL,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  NAME_ANNOTATION,
  ORDER_ANNOTATION,
  QUEUE_NAME_LABEL,
  QUEUE_PRIORITY_LABEL,
  RUN_LABEL,
  SPEC_HASH_ANNOTATION,
} from '../names.ts';
import { readNativeOptions } from '../native-options.ts';
import { imageOf } from './image.ts';
import { writeOrderNote } from './order-annotation.ts';
import { podPlaceOf } from './pod-place.ts';
import { type PodPlan, podTemplateOf } from './pod-template.ts';
import { refusalOf } from './refusal.ts';
import { podSizeOf, sizeRefusal } from './resources.ts';
import { needsRefusal } from './volumes.ts';

export type Manifest = { readonly job: Job } | { readonly refusal: string };

/**
 * The one object that a run is, or why it cannot be, as a sentence that names the field. The same order and configuration give the
 * same manifest: no time and no randomness, so that a create may be repeated until it is answered.
 */
export function jobManifest(
  given: RunOrder,
  config: KubernetesConfig,
  context: { readonly cluster: string },
): Manifest {
  // The launcher counts in this order, and reads no leading zeros.
  const order = { ...given, tasks: formatRangeSet(rangeSet(given.tasks)) };
  const { spec } = order;
  const native = readNativeOptions(spec.native.kubernetes);
  if ('problem' in native) return { refusal: native.problem };
  const { options } = native;
  const size = podSizeOf(spec, config);
  const refusal = refusalOf(order, size.nodes) ?? sizeRefusal(size, config) ?? needsRefusal(spec, config);
  if (refusal !== null) return { refusal };
  const image = imageOf(spec.image, config);
  if ('refusal' in image) return image;
  const place = podPlaceOf(order, options, config);
  if ('refusal' in place) return place;
  return {
    job: jobOf({ order, options, size, ...context, ...image, ...place, labels: labelsOf(order) }, given.tasks, config),
  };
}

function jobOf(plan: PodPlan, tasks: string, config: KubernetesConfig): Job {
  const { order, place, labels, size } = plan;
  const { spec, ...note } = order;
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: order.marker,
      namespace: place.namespace,
      labels: { ...labels, ...queueLabels(plan) },
      annotations: {
        [SPEC_HASH_ANNOTATION]: order.specHash,
        [NAME_ANNOTATION]: spec.name,
        [ORDER_ANNOTATION]: writeOrderNote({
          ...note,
          // As the broker wrote them.
          tasks,
          gang: size.nodes > 1 ? size.nodes : 0,
          isArray: isArray(spec),
        }),
      },
    },
    spec: {
      ...(place.queue === null ? {} : { suspend: true }),
      ...completionOf(plan),
      // A pod that is being deleted may still run: nothing takes its place before it has ended.
      podReplacementPolicy: 'Failed',
      ttlSecondsAfterFinished: config.ttlSecondsAfterFinished,
      template: podTemplateOf(plan, config),
    },
  };
}

/** Nothing is ever tried again by the cluster: whether there is another attempt, the broker decides. */
function completionOf({ order: { spec, tasks }, size }: PodPlan): Partial<JobSpec> {
  if (isArray(spec)) {
    const completions = count(rangeSet(tasks));
    const parallelism = Math.min(completions, spec.array?.maxRunning ?? completions);
    return { completionMode: 'Indexed', completions, parallelism, backoffLimitPerIndex: 0 };
  }
  if (size.nodes === 1) return { completionMode: 'NonIndexed', completions: 1, parallelism: 1, backoffLimit: 0 };
  return { completionMode: 'Indexed', completions: size.nodes, parallelism: size.nodes, backoffLimit: 0 };
}

function labelsOf({ marker, runId, jobNumber }: RunOrder): Record<string, string> {
  const parsed = parseMarker(marker);
  if (parsed === null) throw new RangeError(`'${marker}' is not the marker of a run`);
  return {
    [MANAGED_BY_LABEL]: MANAGED_BY,
    [FEDERATION_LABEL]: parsed.federation,
    [RUN_LABEL]: runId,
    [JOB_LABEL]: String(jobNumber),
  };
}

function queueLabels({ place: { queue, queuePriorityClass } }: PodPlan): Record<string, string> {
  return {
    ...(queue === null ? {} : { [QUEUE_NAME_LABEL]: queue }),
    ...(queuePriorityClass === null ? {} : { [QUEUE_PRIORITY_LABEL]: queuePriorityClass }),
  };
}
