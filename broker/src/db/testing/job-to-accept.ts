import { createHash, randomUUID } from 'node:crypto';
import { canonicalJson } from '@switchyard/core/spec/canonical-json.ts';
import { type JobSpecInput, jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import { count, formatRangeSet } from '@switchyard/core/spec/range-set.ts';
import { isArray, taskSet } from '@switchyard/core/spec/task-set.ts';
import type { JobToAccept } from '../accept-jobs.ts';

/** A job for tests: whole and plausible, with only what the test is about written out. */
export function jobToAccept(input: Partial<JobSpecInput> = {}, change: Partial<JobToAccept> = {}): JobToAccept {
  const spec = jobSpecSchema.parse({ command: ['true'], ...input });
  const specJson = canonicalJson(spec);
  const tasks = taskSet(spec);
  return {
    id: randomUUID(),
    principal: 'test',
    groupPath: spec.group,
    owner: 'ada',
    name: spec.name,
    specJson,
    specHash: createHash('sha256').update(specJson).digest('hex'),
    priority: spec.priority,
    taskCount: count(tasks),
    tasks: formatRangeSet(tasks),
    isArray: isArray(spec),
    maxRunning: spec.array?.maxRunning ?? null,
    held: spec.held,
    labels: spec.labels,
    notBeforeMs: null,
    idempotencyKey: null,
    bodyHash: null,
    ...change,
  };
}
