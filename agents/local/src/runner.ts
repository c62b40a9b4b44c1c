import { signalNumber } from '@switchyard/core/lifecycle/signal-name.ts';
import { contains, intersection, MAX_INDEX, type RangeSet } from '@switchyard/core/spec/range-set.ts';
import { beginEnding, superviseTask } from './end-task.ts';
import { type LocalJob, nativeIdOf, type Size } from './job.ts';
import { cancelWaiting, type JobTable } from './job-table.ts';
import { createMembership } from './membership.ts';
import { readBootId, signalProcess } from './processes.ts';
import { startTask } from './start-task.ts';
import { adopt, membersOf, unseenEnd } from './task-members.ts';

/** What a scheduler does on its own: starts what fits, first come first, and watches what runs. */
export type Runner = {
  /** Something new waits. */
  wake(): void;
  kill(targets: readonly { readonly nativeId: string; readonly marker: string }[]): void;
  /** Stops watching; what runs goes on. */
  close(): void;
};

const TICK_MS = 1000;
/** A look at /proc takes 2 ms for 130 processes; on a host with very many it may take a fifth of the time, no more. */
const TICK_SHARE = 5;
/** Processes that outlive their job show up in the next scans or not at all. */
const LEFTOVERS_MS = 5000;
/** Slurm's MinJobAge (slurm.conf(5)): who asks late still finds how a job ended. */
const KEEP_ENDED_MS = 300_000;
/** A start takes a millisecond or two of this process: others must get their turn. */
const STARTS_AT_ONCE = 16;

export function createRunner(table: JobTable, total: Size): Runner {
  const bootId = readBootId();
  const membership = createMembership(membersOf(table));
  const children = new Set<string>();
  let closed = false;
  let lastActiveMs = Date.now();
  let starting: NodeJS.Immediate | null = null;
  let timer: NodeJS.Timeout | null = null;
  adopt(table, Date.now());
  wake();

  return {
    wake,
    kill: (targets) => {
      for (const target of targets) killTarget(target);
      wake();
    },
    close: () => {
      closed = true;
      if (starting) clearImmediate(starting);
      if (timer) clearTimeout(timer);
    },
  };

  function wake(): void {
    if (closed) return;
    starting ??= setImmediate(() => {
      starting = null;
      startWaiting();
    });
    if (!timer && table.jobs.size > 0) timer = setTimeout(tick, TICK_MS).unref();
  }

  function startWaiting(): void {
    let starts = 0;
    for (const job of table.waiting)
      while (job.waiting.length > 0) {
        if (!fits(job.facts.size)) return;
        start(job, job.waiting[0]![0]);
        starts += 1;
        if (starts < STARTS_AT_ONCE) continue;
        wake();
        return;
      }
  }

  /** The configuration may have become smaller than a job that waits: alone it runs all the same. */
  function fits({ cpus, memoryMiB }: Size): boolean {
    const sizes = [...table.running.values()].map(({ job }) => job.facts.size);
    if (sizes.length === 0) return true;
    const used = (of: keyof Size) => sizes.reduce((sum, size) => sum + size[of], 0);
    return used('cpus') + cpus <= total.cpus && used('memoryMiB') + memoryMiB <= total.memoryMiB;
  }

  function start(job: LocalJob, task: number): void {
    const { facts } = job;
    const started = tryStart(job, task);
    const atMs = Date.now();
    lastActiveMs = atMs;
    if (started.kind === 'failed') {
      const end = { end: 'launch_failed', exitCode: null, signal: null, reason: started.sentence } as const;
      table.note(job, { type: 'ended', tasks: String(task), ...end, atMs });
      return;
    }
    const { pid, startTicks } = started.process;
    const nativeId = nativeIdOf(facts, task);
    children.add(nativeId);
    started.child.once('exit', (code, signal) => onExit(job, task, code, signal));
    table.note(job, { type: 'started', task, process: { pid, startTicks, bootId }, atMs });
  }

  function tryStart({ facts }: LocalJob, task: number) {
    try {
      return startTask(facts, task, table.folder.readLaunch(facts.id), table.folder.scriptPath(facts.id));
    } catch (error) {
      return { kind: 'failed', sentence: (error as Error).message } as const;
    }
  }

  function onExit(job: LocalJob, task: number, code: number | null, signal: NodeJS.Signals | null): void {
    const running = job.running.get(task);
    if (closed || !running) return;
    children.delete(nativeIdOf(job.facts, task));
    lastActiveMs = Date.now();
    table.note(job, {
      type: 'ended',
      tasks: String(task),
      end: running.ending?.end ?? (code === 0 ? 'completed' : 'failed'),
      exitCode: code,
      signal: signal && signalNumber(signal),
      reason: running.ending?.reason ?? '',
      atMs: lastActiveMs,
    });
    wake();
  }

  function tick(): void {
    const began = performance.now();
    try {
      watch(Date.now());
    } catch {
      // No descriptor left to read /proc with: nothing is concluded, the next tick looks again.
    }
    timer = null;
    if (closed || table.jobs.size === 0) return;
    timer = setTimeout(tick, Math.max(TICK_MS, (performance.now() - began) * TICK_SHARE)).unref();
  }

  function watch(nowMs: number): void {
    if (table.running.size > 0 || nowMs - lastActiveMs < LEFTOVERS_MS) {
      const members = membership.scan();
      for (const [nativeId, running] of [...table.running]) {
        const processes = members.get(nativeId) ?? [];
        const isAlive = processes.some(({ pid }) => pid === running.task.process.pid);
        if (isAlive) superviseTask(table, running, processes, nowMs);
        else if (!children.has(nativeId)) table.note(running.job, unseenEnd(running, nowMs));
      }
      for (const [nativeId, processes] of members)
        if (!table.running.has(nativeId)) for (const each of processes) signalProcess(each, 'KILL');
    }
    void table.purge(nowMs - KEEP_ENDED_MS).catch(() => {});
    wake();
  }

  function killTarget({ nativeId, marker }: { readonly nativeId: string; readonly marker: string }): void {
    const [, id, task] = /^(\d+)(?:_(\d+))?$/.exec(nativeId) ?? [];
    const job = table.jobs.get(Number(id ?? Number.NaN));
    if (!job || job.facts.marker !== marker || (task !== undefined && !job.facts.isArray)) return;
    const tasks: RangeSet = task === undefined ? [[0, MAX_INDEX]] : [[Number(task), Number(task)]];
    const never = intersection(job.waiting, tasks);
    if (never.length > 0) table.note(job, cancelWaiting(never, 'by the agent', Date.now()));
    for (const running of job.running.values())
      if (contains(tasks, running.task) && !running.ending)
        beginEnding(table, { job, task: running }, { end: 'cancelled', reason: 'by the agent', atMs: Date.now() });
  }
}
