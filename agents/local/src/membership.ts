import { type Process, readEnvironment, readProcesses } from './processes.ts';

/** Which processes belong to which task, by the task's native id. */
export type Membership = { scan(): ReadonlyMap<string, readonly Process[]> };

export type MembershipSource = {
  /** The task that this process is the wrapper of. */
  wrapperOf(process: Process): string | null;
  /** The task that the environment of an orphan names. */
  taskOf(environment: ReadonlyMap<string, string>): string | null;
};

/**
 * The payload has a session of its own and may make more, so the session alone tells too little: a process belongs where its
 * parent does, or its session, or, with both gone between two scans, where the environment it was started with says.
 * Once known it stays so, whoever adopts it.
 */
export function createMembership(source: MembershipSource): Membership {
  let known = new Map<number, { readonly startTicks: number; readonly task: string | null }>();

  return {
    scan: () => {
      const processes = readProcesses();
      const tasks = new Map<number, string | null>();
      for (const { pid, startTicks } of processes.values()) {
        const before = known.get(pid);
        if (before?.startTicks === startTicks) tasks.set(pid, before.task);
      }
      const unknown = [...processes.values()].filter(({ pid }) => !tasks.has(pid));
      for (const each of unknown) byParent(each, processes, tasks);
      const sessions = sessionsOf(processes, tasks);
      for (const each of unknown)
        tasks.set(
          each.pid,
          tasks.get(each.pid) ?? sessions.get(each.session) ?? source.taskOf(readEnvironment(each.pid)),
        );
      known = new Map(
        [...processes.values()].map(({ pid, startTicks }) => [pid, { startTicks, task: tasks.get(pid) ?? null }]),
      );
      return grouped(processes, tasks);
    },
  };

  function byParent(start: Process, processes: ReadonlyMap<number, Process>, tasks: Map<number, string | null>): void {
    const path: Process[] = [];
    let task: string | null = null;
    for (let each: Process | undefined = start; each && task === null; each = processes.get(each.ppid)) {
      const decided = tasks.get(each.pid);
      if (decided === null || path.includes(each)) return;
      task = decided ?? source.wrapperOf(each);
      path.push(each);
    }
    if (task !== null) for (const { pid } of path) tasks.set(pid, task);
  }
}

function sessionsOf(processes: ReadonlyMap<number, Process>, tasks: ReadonlyMap<number, string | null>) {
  const sessions = new Map<number, string>();
  for (const { pid, session } of processes.values()) {
    const task = tasks.get(pid);
    if (task) sessions.set(session, task);
  }
  return sessions;
}

function grouped(processes: ReadonlyMap<number, Process>, tasks: ReadonlyMap<number, string | null>) {
  const groups = new Map<string, Process[]>();
  for (const process of processes.values()) {
    const task = tasks.get(process.pid);
    if (task) groups.set(task, [...(groups.get(task) ?? []), process]);
  }
  return groups;
}
