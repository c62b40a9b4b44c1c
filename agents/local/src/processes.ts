import { readdirSync, readFileSync } from 'node:fs';
import type { ProcessIdentity } from './job.ts';

/** A line of /proc/<pid>/stat, proc(5). */
export type Process = {
  readonly pid: number;
  readonly ppid: number;
  readonly session: number;
  /** Since boot; with the pid it names one process for ever, until the next boot. */
  readonly startTicks: number;
  readonly residentBytes: number;
};

/** Of this boot of the kernel; throws where there is no Linux /proc, without which nothing here can be told apart. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Every live process. */
export function readProcesses(): Map<number, Process> {
  const found = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    const process = /^\d+$/.test(name) ? readProcess(Number(name)) : null;
    if (process) found.set(process.pid, process);
  }
  return found;
}

/** A process, or null when it has ended; one that only waits to be reaped has ended too, unless asked for. */
export function readProcess(pid: number, zombies?: 'even a zombie'): Process | null {
  const text = read(`/proc/${pid}/stat`);
  // The program's name is in parentheses and may hold anything, parentheses too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const isOver = fields[0] === 'Z' || fields[0] === 'X';
  if (fields.length < 22 || (isOver && !zombies)) return null;
  const [ppid, session, startTicks, pages] = [1, 3, 19, 21].map((at) => Number(fields[at]));
  return { pid, ppid: ppid!, session: session!, startTicks: startTicks!, residentBytes: pages! * pageBytes() };
}

/** The process with this identity is alive; null when it is not, whoever has its pid now. */
export function findProcess({ pid, startTicks, bootId }: ProcessIdentity): Process | null {
  const process = bootId === readBootId() ? readProcess(pid) : null;
  return process?.startTicks === startTicks ? process : null;
}

/** Signals exactly this process: its start time is compared at the last moment. */
export function signalProcess({ pid, startTicks }: Pick<Process, 'pid' | 'startTicks'>, signal: string): void {
  if (readProcess(pid)?.startTicks !== startTicks) return;
  try {
    process.kill(pid, `SIG${signal}`);
  } catch (error) {
    if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** The environment that a process was started with; empty when it is gone or somebody else's. */
export function readEnvironment(pid: number): Map<string, string> {
  const entries = read(`/proc/${pid}/environ`).split('\0');
  return new Map(entries.map((entry) => [entry.split('=', 1)[0]!, entry.slice(entry.indexOf('=') + 1)]));
}

/** Memory with what is shared counted in parts (Pss), so that forks of one program do not count it again and again. */
export function proportionalBytes({ pid, residentBytes }: Process): number {
  const kib = /^Pss:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1];
  return kib === undefined ? residentBytes : Number(kib) * 1024;
}

let knownPageBytes = 0;

/** AT_PAGESZ of getauxval(3): pairs of 64-bit words. */
function pageBytes(): number {
  if (knownPageBytes > 0) return knownPageBytes;
  const words = readFileSync('/proc/self/auxv');
  for (let at = 0; at + 16 <= words.length && knownPageBytes === 0; at += 16)
    if (words.readBigUInt64LE(at) === 6n) knownPageBytes = Number(words.readBigUInt64LE(at + 8));
  return knownPageBytes || 4096;
}

/** Empty when the process is gone or not ours to look at; anything else must not look as if it were gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}
