import { contains } from '@switchyard/core/spec/range-set.ts';
import { hasEnded, type JobFacts, nativeIdOf, type ProcessIdentity } from './job.ts';
import type { JobTable, Running } from './job-table.ts';
import type { MembershipSource } from './membership.ts';
import { findProcess, type Process, readBootId, readEnvironment, readProcesses } from './processes.ts';

/** How the processes of this table's tasks are recognised. */
export function membersOf(table: JobTable): MembershipSource {
  return {
    wrapperOf: (process) => {
      for (const [nativeId, { task }] of table.running) if (isSame(task.process, process)) return nativeId;
      return null;
    },
    taskOf: (environment) => {
      const runId = environment.get('YARD_RUN_ID');
      const index = environment.get('YARD_TASK_INDEX');
      if (!runId || index === undefined || !/^\d+$/.test(index)) return null;
      return runningTask(table, runId, Number(index)) ?? endedTask(table, runId, Number(index));
    },
  };
}

/** Of two copies the one that started first: the other is about to lose the claim. */
function runningTask({ running }: JobTable, runId: string, index: number): string | null {
  for (const [nativeId, { job, task }] of running)
    if (job.facts.runId === runId && task.task === index) return nativeId;
  return null;
}

/** One that lost the claim, or could not take it, has left nothing behind. */
function endedTask({ jobs }: JobTable, runId: string, index: number): string | null {
  for (const { facts, ended } of jobs.values()) {
    if (facts.runId !== runId) continue;
    const own = ended.find(({ tasks, startedAtMs }) => startedAtMs !== null && contains(tasks, index));
    if (own && own.exitCode !== 113 && own.exitCode !== 114) return nativeIdOf(facts, index);
  }
  return null;
}

function isSame(identity: ProcessIdentity, process: Process): boolean {
  return identity.pid === process.pid && identity.startTicks === process.startTicks;
}

/**
 * After a restart: running tasks whose process is gone have ended with an exit that nobody saw; a task that waits, but was
 * being started when the agent died, is found by its number in the environment of a live wrapper.
 */
export function adopt(table: JobTable, nowMs: number): void {
  for (const { job, task } of [...table.running.values()])
    if (!findProcess(task.process)) table.note(job, unseenEnd({ job, task }, nowMs));
  if (table.waiting.size === 0) return;
  const bootId = readBootId();
  for (const process of readProcesses().values()) {
    const found = process.pid === process.session ? startedTask(table, readEnvironment(process.pid)) : null;
    if (!found) continue;
    const { pid, startTicks } = process;
    table.note(found.job, {
      type: 'started',
      task: found.task,
      process: { pid, startTicks, bootId },
      atMs: nowMs,
    });
  }
}

/** The end of a task whose exit code nobody got: its claim has it. */
export function unseenEnd({ task: { task, ending } }: Running, atMs: number) {
  return {
    type: 'ended',
    tasks: String(task),
    end: ending?.end ?? null,
    exitCode: null,
    signal: null,
    reason: ending?.reason ?? 'nobody saw its exit',
    atMs,
  } as const;
}

function startedTask({ jobs, folder }: JobTable, environment: ReadonlyMap<string, string>) {
  const [, id, index] = /^(\d+)(?:_(\d+))?$/.exec(environment.get('YARD_NATIVE_ID') ?? '') ?? [];
  const job = id === undefined ? undefined : jobs.get(Number(id));
  if (!job || hasEnded(job) || job.facts.isArray !== (index !== undefined)) return null;
  const task = Number(index ?? 0);
  return contains(job.waiting, task) && isOfThisQueue(job.facts, folder, environment) ? { job, task } : null;
}

/** Another agent of this host counts from 1 too. */
function isOfThisQueue(
  { id }: JobFacts,
  folder: JobTable['folder'],
  environment: ReadonlyMap<string, string>,
): boolean {
  const launch = folder.readLaunch(id);
  return launch.environment['YARD_CLAIM_DIR'] === environment.get('YARD_CLAIM_DIR');
}
