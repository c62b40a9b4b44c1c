import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { WrapperJob } from '@switchyard/agent-runtime/native-queue.ts';
import { type JobSpecInput, jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import { markerOf } from '@switchyard/core/spec/marker.ts';

/** The federation code of the tests' markers. */
export const FEDERATION = 'test';

let jobNumber = 0;

/** An order as the broker would send it, of a run nobody has seen before. */
export function orderOf(spec: Partial<JobSpecInput> = {}, more: Partial<RunOrder> = {}): RunOrder {
  const runId = randomUUID();
  jobNumber += 1;
  return {
    runId,
    placementNumber: 1,
    jobId: randomUUID(),
    jobNumber,
    attempt: 1,
    tasks: spec.array?.tasks ?? '0',
    spec: jobSpecSchema.parse(spec.command ? spec : { script: '#!/bin/sh\n:\n', ...spec }),
    specHash: '',
    pool: '',
    groupPath: 'default',
    owner: 'tester',
    marker: markerOf(FEDERATION, runId),
    ...more,
  };
}

/** The order's script as it is, where a test looks at the queue and not at the wrapper. */
export function bareJob(order: RunOrder, dir: string, more: Partial<WrapperJob> = {}): WrapperJob {
  const output = join(dir, order.spec.array ? `${order.marker}-%a.out` : `${order.marker}.out`);
  return {
    script: order.spec.script ?? '',
    environment: { ...order.spec.env },
    stdoutPath: output,
    stderrPath: output,
    workdir: dir,
    arrayTasks: order.spec.array ? order.tasks : '',
    ...more,
  };
}
