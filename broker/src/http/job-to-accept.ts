import { createHash, randomUUIDv7 } from 'node:crypto';
import { canonicalJson } from '@switchyard/core/spec/canonical-json.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { count, formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import { isArray, taskSet } from '@switchyard/core/spec/task-set.ts';
import type { JobToAccept } from '../db/accept-jobs.ts';
import type { Principal } from './auth.ts';

/** A validated spec as the row that will be stored; its canonical JSON is written once, here, for the database and for every agent. */
export function jobToAccept(spec: JobSpec, principal: Principal): JobToAccept {
  const tasks = taskSet(spec);
  const specJson = canonicalJson(spec);
  return {
    id: randomUUIDv7(),
    principal: principal.id,
    groupPath: spec.group,
    owner: principal.name,
    name: spec.name,
    specJson,
    specHash: sha256Hex(specJson),
    priority: spec.priority,
    taskCount: count(tasks),
    tasks: formatRangeSet(tasks),
    isArray: isArray(spec),
    maxRunning: spec.array?.maxRunning ?? null,
    held: spec.held,
    labels: spec.labels,
    notBeforeMs: spec.startAfter === undefined ? null : Date.parse(spec.startAfter),
    idempotencyKey: null,
    bodyHash: null,
  };
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
