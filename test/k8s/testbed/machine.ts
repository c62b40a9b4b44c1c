import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, startDaemon } from '../../slurm/daemon.ts';
import { until } from '../../support/until.ts';
import { makeCgroups, removeCgroups } from './cgroups.ts';
import { environment } from './control-plane.ts';
import type { Network } from './network.ts';
import { untilReady } from './until-ready.ts';

/**
 * The hull of one node: its own processes and its own mounts, so that losing it is one kill after which the kernel leaves
 * nothing of it, as with a power cut. /var/lib and /var/log are folders of the node and outlive it; /run does not.
 */
export type Machine = {
  /** Starts a program on the machine. */
  start(argv: readonly string[], logFile: string, more?: NodeJS.ProcessEnv): Daemon;
  /** What to put before a command that runs on it to its end. */
  readonly enter: readonly string[];
  /** Sends a signal to what `start` started: the program itself, not the command that brought it in there. */
  signal(daemon: Daemon, name: NodeJS.Signals): Promise<void>;
  /** Ends everything on it at once. */
  lose(): Promise<void>;
};

/** A control group becomes the root of a namespace by standing in it. */
const JOIN_GROUPS = `
set -e
while read -r group hierarchy; do echo $$ > "$group/cgroup.procs"; done < "$1/cgroups"
exec unshare --cgroup sh -c "$2" sh "$1"`;

/** Waiting as a shell reaps what was orphaned. Version 2 wants no processes in a group that has groups. */
const FIRST_PROCESS = `
set -e
while read -r group hierarchy; do
  mount --bind "$group" "$hierarchy"
  [ ! -e "$hierarchy/cgroup.controllers" ] || { mkdir "$hierarchy/first"; echo $$ > "$hierarchy/first/cgroup.procs"; }
done < "$1/cgroups"
mount --bind "$1/lib" /var/lib
mount --bind "$1/log" /var/log
mount -t tmpfs -o mode=755 run /run
: > /run/machine
set +e
while :; do sleep 86400 & wait $!; done`;

export async function startMachine(dir: string, network: Network, cgroup: string): Promise<Machine> {
  const groups = makeCgroups(cgroup).map(({ group, hierarchy }) => `${group} ${hierarchy}\n`);
  writeFileSync(join(dir, 'cgroups'), groups.join(''));
  const hull = ['unshare', '--pid', '--fork', '--kill-child', '--mount', '--propagation=private', '--mount-proc'];
  const argv = [...network.inside, ...hull, 'sh', '-c', JOIN_GROUPS, 'sh', dir, FIRST_PROCESS];
  const daemon = startDaemon(argv, environment(dir), join(dir, 'machine.log'));
  let first = 0;
  const lose = async () => {
    await daemon.stop('SIGKILL');
    // The kernel keeps the first process until all others of its namespace are gone.
    await until('the processes of a node are gone', () => !existsSync(`/proc/${first}`), { everyMs: 5 });
    await removeCgroups(cgroup);
  };
  const hasMounted = () => {
    first = childOf(daemon.pid) ?? 0;
    return first > 0 && existsSync(`/proc/${first}/root/run/machine`);
  };
  try {
    await untilReady('the first process of a node has mounted its folders', daemon, hasMounted);
  } catch (error) {
    await lose();
    throw error;
  }
  const enter = ['nsenter', `--target=${first}`, '--mount', '--pid', '--net', '--cgroup', '--'];
  return {
    enter,
    start: (command, logFile, more) => startDaemon([...enter, ...command], environment('/var/lib', more), logFile),
    signal: async (each, name) => {
      if (!each.running()) return;
      const child = await until('the program has entered its node', () => childOf(each.pid), { everyMs: 5 });
      process.kill(child, name);
    },
    lose,
  };
}

/** proc(5): the parent is the second field after the name, which may hold anything. Not every kernel lists children. */
function childOf(parent: number): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent) return Number(name);
    } catch {
      // Ended between the two looks.
    }
  }
  return undefined;
}
