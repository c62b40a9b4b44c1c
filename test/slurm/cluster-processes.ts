import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Kills what a stopped cluster left: step daemons (they hold its log open), payloads (Slurm puts SLURM_CONF and
 * SLURM_JOB_ID into their environment) and the children of both. Looks until there is nothing left.
 */
export async function killLeftovers(dir: string, conf: string): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const left = leftovers(dir, conf);
    if (left.length === 0) return;
    for (const pid of left) kill(pid);
    await delay(20);
  }
  throw new Error(`processes of ${dir} do not end: ${leftovers(dir, conf).join(' ')}`);
}

/** Kills the jobs of a cluster and their step daemons, which hold the log of their slurmd open; the daemons go on. */
export async function killJobProcesses(conf: string, log: string): Promise<void> {
  for (const pid of leftovers(log, conf)) kill(pid);
}

/** Process ids of step daemons, payloads and their descendants that belong to the cluster. */
function leftovers(dir: string, conf: string): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const mine = new Set(
    pids.filter((pid) => pid !== process.pid && (isJob(pid, conf) || (isSlurm(pid) && holds(pid, dir)))),
  );
  for (let size = -1; size !== mine.size; ) {
    size = mine.size;
    for (const pid of pids) if (mine.has(parentOf(pid))) mine.add(pid);
  }
  return [...mine].filter((pid) => stateOf(pid) !== 'Z');
}

function isJob(pid: number, conf: string): boolean {
  const environment = read(`/proc/${pid}/environ`).split('\0');
  return environment.includes(`SLURM_CONF=${conf}`) && environment.some((entry) => entry.startsWith('SLURM_JOB_ID='));
}

function isSlurm(pid: number): boolean {
  return /^(slurm|munge|mariadb|mysql)/.test(read(`/proc/${pid}/comm`));
}

function holds(pid: number, dir: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => link(`/proc/${pid}/fd/${fd}`).startsWith(dir));
  } catch {
    return false;
  }
}

/** proc(5): the fields after the last `)` of stat are state, parent, … */
function parentOf(pid: number): number {
  return Number(afterName(pid)[1] ?? 0);
}

function stateOf(pid: number): string {
  return afterName(pid)[0] ?? 'Z';
}

function afterName(pid: number): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text === '' ? [] : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Ended by itself in between.
  }
}
