import { existsSync, globSync, mkdirSync, readFileSync, realpathSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from '../../support/until.ts';

const TOP = '/sys/fs/cgroup';

/**
 * A control group of each hierarchy for one node. The node sees them as the roots: without the kubelet's hierarchy of
 * service classes, which is not to be had everywhere, containers always lie in /k8s.io, where the kubelets of other nodes
 * would look for theirs too.
 * @param name one or more folder names, e.g. `cluster/node`
 */
export function makeCgroups(name: string): { hierarchy: string; group: string }[] {
  return hierarchies().map((hierarchy) => {
    const group = join(hierarchy, name);
    mkdirSync(group, { recursive: true });
    for (const each of pathFrom(hierarchy, group)) prepare(each);
    return { hierarchy, group };
  });
}

/** Removes what `makeCgroups` and containers below it made; all processes must have ended. */
export async function removeCgroups(name: string): Promise<void> {
  await until(
    `the control groups ${name} are gone`,
    () => {
      for (const hierarchy of hierarchies()) removeTree(join(hierarchy, name));
      return true;
    },
    // A group stays busy for a moment after its last process.
    { everyMs: 20, timeoutMs: 10_000 },
  );
}

/** Version 1 mounts one hierarchy for each controller, some under two names; version 2 has one. */
function hierarchies(): string[] {
  const candidates = [TOP, ...globSync(`${TOP}/*`)];
  if (existsSync(join(TOP, 'cgroup.controllers'))) return [TOP];
  return [
    ...new Set(candidates.filter((each) => existsSync(join(each, 'cgroup.procs'))).map((each) => realpathSync(each))),
  ];
}

/** The groups below the hierarchy's root, from the top. */
function pathFrom(hierarchy: string, group: string): string[] {
  return group === hierarchy ? [] : [...pathFrom(hierarchy, dirname(group)), group];
}

function prepare(group: string): void {
  const parent = dirname(group);
  // Version 1: a new group has no processor and no memory until it is told (cpuset(7)).
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const [from, to] = [join(parent, file), join(group, file)];
    if (existsSync(from) && existsSync(to)) writeFileSync(to, readFileSync(from));
  }
  // Version 2: controllers reach the groups below only where the parent says so.
  const switches = join(parent, 'cgroup.subtree_control');
  const controllers = join(parent, 'cgroup.controllers');
  if (!existsSync(switches)) return;
  const known = readFileSync(controllers, 'utf8').trim().split(' ').filter(Boolean);
  writeFileSync(switches, known.map((controller) => `+${controller}`).join(' '));
}

function removeTree(group: string): void {
  if (!existsSync(group)) return;
  const below = globSync('**/', { cwd: group }).map((each) => join(group, each));
  for (const each of [...below, group].sort((a, b) => b.length - a.length)) rmdirSync(each);
}
