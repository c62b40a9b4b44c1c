import { parseMarker } from '@switchyard/core/spec/marker.ts';
import { parseRangeSet } from '@switchyard/core/spec/range-set.ts';
import type { Job } from '../api-types.ts';
import type { RunRecord } from '../facts/run-facts.ts';
import { readOrderNote } from '../manifest/order-annotation.ts';
import {
  FEDERATION_LABEL,
  MANAGED_BY,
  MANAGED_BY_LABEL,
  ORDER_ANNOTATION,
  RUN_LABEL,
  SPEC_HASH_ANNOTATION,
} from '../names.ts';

export type ReadJob =
  /** A run of ours, by name, labels and order alike. */
  | { readonly kind: 'run'; readonly record: RunRecord }
  /** It has our marker and our labels, and what it says of its run cannot be read: nobody knows what it is. */
  | { readonly kind: 'stray'; readonly federation: string; readonly runId: string }
  | { readonly kind: 'foreign' };

/** Of this federation, or foreign: another one may work in the same namespace. */
export function readOurJob(job: Job, federation: string): ReadJob {
  return parseMarker(job.metadata.name ?? '')?.federation === federation ? readJob(job) : { kind: 'foreign' };
}

/** What a Job is, whichever federation's. Everything about it must agree: one label that somebody copied makes nothing ours. */
export function readJob({ metadata }: Job): ReadJob {
  const marker = parseMarker(metadata.name ?? '');
  const { labels = {}, annotations = {} } = metadata;
  const isMarked =
    marker !== null &&
    labels[MANAGED_BY_LABEL] === MANAGED_BY &&
    labels[FEDERATION_LABEL] === marker.federation &&
    labels[RUN_LABEL] === marker.runId;
  if (!isMarked) return { kind: 'foreign' };
  const note = readOrderNote(annotations[ORDER_ANNOTATION]);
  const agrees =
    note !== null &&
    note.marker === metadata.name &&
    note.runId === marker.runId &&
    note.specHash === annotations[SPEC_HASH_ANNOTATION] &&
    parseRangeSet(note.tasks).ok;
  if (!agrees) return { kind: 'stray', ...marker };
  const { gang, isArray, ...order } = note;
  return { kind: 'run', record: { order, isArray, gang } };
}
