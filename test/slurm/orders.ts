import { join } from 'node:path';
import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { WrapperJob } from '@switchyard/agent-runtime/native-queue.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { makeOrder } from '../behaviour/make-order.ts';

/** An order of a run nobody has seen before; without a script, of one that does nothing. */
export function orderOf(spec: Partial<JobSpecInput> = {}, changes: Partial<RunOrder> = {}): RunOrder {
  return makeOrder({ script: '#!/bin/sh\n:\n', ...spec }, changes);
}

/** The order's script as it is, where a test looks at the queue and not at the wrapper. */
export function bareJob(order: RunOrder, dir: string): WrapperJob {
  const output = join(dir, order.spec.array ? `${order.marker}-%a.out` : `${order.marker}.out`);
  return {
    script: order.spec.script ?? '',
    environment: { ...order.spec.env },
    stdoutPath: output,
    stderrPath: output,
    workdir: dir,
    arrayTasks: order.spec.array ? order.tasks : '',
  };
}
