import type { Ending } from './job.ts';
import type { JobTable, Running } from './job-table.ts';
import { type Process, proportionalBytes, signalProcess } from './processes.ts';

/** After TERM a payload has so long to save its work. */
const KILL_AFTER_MS = 5000;
/** The wrapper then has so long to write down how its payload died. */
const WRAPPER_AFTER_MS = 2000;

/** One look at a running task: its limits, its signal, and whatever has begun to end it. `processes` are all its own. */
export function superviseTask(table: JobTable, running: Running, processes: readonly Process[], nowMs: number): void {
  if (running.task.ending) goOnEnding(running, processes, nowMs);
  else checkLimits(table, running, processes, nowMs);
}

function checkLimits(table: JobTable, running: Running, processes: readonly Process[], nowMs: number): void {
  const { task, job } = running;
  const { walltimeSeconds } = job.facts;
  const leftMs = walltimeSeconds === null ? Infinity : task.startedAtMs + walltimeSeconds * 1000 - nowMs;
  const tooMuch = memoryOverrun(running, processes);
  if (tooMuch) {
    beginEnding(table, running, { end: 'out_of_memory', reason: tooMuch, atMs: nowMs });
    killPayload(running, processes, nowMs);
  } else if (leftMs <= 0) {
    beginEnding(table, running, { end: 'timeout', reason: `ran for ${walltimeSeconds} s`, atMs: nowMs });
  } else {
    warn(table, running, processes, leftMs);
  }
}

/** Written down first, so that what is killed now is known to have been killed by us. */
export function beginEnding(table: JobTable, { job, task }: Running, ending: Ending): void {
  table.note(job, { type: 'ending', task: task.task, ...ending });
  if (ending.end !== 'out_of_memory') signalProcess(task.process, 'TERM');
}

function goOnEnding(running: Running, processes: readonly Process[], nowMs: number): void {
  const { end, atMs } = running.task.ending!;
  const graceMs = end === 'out_of_memory' ? 0 : KILL_AFTER_MS;
  if (nowMs - atMs < graceMs) return;
  killPayload(running, processes, nowMs);
  if (nowMs - running.task.payloadKilledAtMs! >= WRAPPER_AFTER_MS) signalProcess(running.task.process, 'KILL');
}

function killPayload({ task }: Running, processes: readonly Process[], nowMs: number): void {
  task.payloadKilledAtMs ??= nowMs;
  for (const process of processes) if (process.pid !== task.process.pid) signalProcess(process, 'KILL');
}

/** What it uses and may use, when that is too much. The quick sum counts shared pages often, so only the exact one decides. */
function memoryOverrun({ job }: Running, processes: readonly Process[]): string | null {
  const allowed = job.facts.size.memoryMiB * MIB;
  if (sum(processes.map(({ residentBytes }) => residentBytes)) <= allowed) return null;
  const used = sum(processes.map(proportionalBytes));
  if (used <= allowed) return null;
  return `used ${Math.ceil(used / MIB)} MiB of ${job.facts.size.memoryMiB} MiB of memory`;
}

const MIB = 1_048_576;

/** The signal that the job asked for before its end. The wrapper hands it on; all processes get it themselves if so asked. */
function warn(table: JobTable, { job, task }: Running, processes: readonly Process[], leftMs: number): void {
  const { signal } = job.facts;
  if (!signal || task.signalled || leftMs > signal.beforeEndSeconds * 1000) return;
  table.note(job, { type: 'signalled', task: task.task });
  if (signal.batchOnly) signalProcess(task.process, signal.name);
  else for (const process of processes) if (process.pid !== task.process.pid) signalProcess(process, signal.name);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
