import { availableParallelism, hostname, totalmem } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { NativeQueue, WrapperJob } from '@switchyard/agent-runtime/native-queue.ts';
import { requestOf } from '@switchyard/core/placement/resources.ts';
import { objection, sizeOf } from './admission.ts';
import { capacityReport } from './capacity.ts';
import { type LocalConfigInput, localConfigSchema } from './config.ts';
import type { JobFacts, Launch, Size } from './job.ts';
import { openJobTable } from './job-table.ts';
import { nativeLines } from './native-lines.ts';
import { createRunner } from './runner.ts';

/**
 * The scheduler of one host, inside the agent: jobs are child processes that outlive it, on a slot for each CPU and within a
 * limit of memory, first come first. It needs Linux, whose /proc tells one process from another.
 */
export function localQueue(stateDir: string, input: LocalConfigInput = {}): NativeQueue {
  const total = totalOf(input);
  const table = openJobTable(stateDir);
  const runner = createRunner(table, total);

  return {
    kind: 'local',
    fingerprint: async () => `local:${hostname()}:${stateDir}`,
    capacity: async () => capacityReport(table, total, Date.now()),

    submit: async (order, wrapper) => {
      const sentence = objection(order, total);
      if (sentence !== null) return { kind: 'refused', sentence, permanent: true };
      try {
        const job = table.add(factsOf(order, wrapper, total), launchOf(order, wrapper), wrapper.script);
        runner.wake();
        return { kind: 'submitted', nativeId: String(job.facts.id) };
      } catch (error) {
        return { kind: 'refused', sentence: `the job cannot be stored: ${(error as Error).message}`, permanent: false };
      }
    },

    list: async () => [...table.jobs.values()].flatMap(nativeLines),
    // Nothing is kept beyond the listing.
    accounting: async () => [],
    kill: async (targets) => runner.kill(targets),
    close: async () => runner.close(),
  };
}

function totalOf(input: LocalConfigInput): Size {
  const { cpus, memoryMiB } = localConfigSchema.parse(input);
  return {
    cpus: cpus ?? availableParallelism(),
    memoryMiB: memoryMiB ?? Math.max(1, Math.floor((totalmem() * 0.8) / 1_048_576)),
  };
}

function factsOf(order: RunOrder, { arrayTasks }: WrapperJob, total: Size): Omit<JobFacts, 'id'> {
  const { marker, runId, spec } = order;
  return {
    marker,
    runId,
    submittedAtMs: Date.now(),
    isArray: arrayTasks !== '',
    tasks: arrayTasks === '' ? '0' : arrayTasks,
    size: sizeOf(spec, total),
    walltimeSeconds: requestOf(spec).walltimeSeconds,
    signal: spec.signal ?? null,
  };
}

function launchOf({ spec: { stdin } }: RunOrder, wrapper: WrapperJob): Launch {
  const { environment, stdoutPath, stderrPath, workdir } = wrapper;
  const stdinPath = stdin === undefined ? null : isAbsolute(stdin) ? stdin : join(workdir, stdin);
  return { environment, stdoutPath, stderrPath, stdinPath, workdir };
}
