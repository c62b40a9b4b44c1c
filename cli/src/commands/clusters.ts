import type { PoolReport } from '@switchyard/core/placement/capacity-report.ts';
import { formatSeconds } from '@switchyard/core/spec/format-seconds.ts';
import type { Cluster, Clusters } from '../api/api-types.ts';
import { type Cli, type DefineCommand, look, say } from '../cli.ts';
import { age } from '../format/age.ts';
import { memoryShare, share } from '../format/amounts.ts';
import { type Format, outputOption, printListing } from '../format/output.ts';
import { plainText } from '../format/plain-text.ts';
import { stateText } from '../format/state.ts';
import { paint } from '../format/styled.ts';
import type { Column } from '../format/table.ts';

/** A line of the table: a cluster, or one pool of it. */
type Line = { readonly cluster: Cluster; readonly pool: PoolReport | null };

/** `yard clusters`: free of total for every cluster and pool. Pools overlap, so a cluster's line is no sum of theirs. */
export const defineClusters: DefineCommand = (command, cli) => {
  command.addOption(outputOption()).action(async ({ output }: { output: Format }) => {
    const client = await cli.connect();
    const { items, paused } = await client.get<Clusters>('/v1/clusters');
    await printListing<Line>(cli, output, {
      rows: output === 'name' ? items.map((cluster) => ({ cluster, pool: null })) : items.flatMap(linesOf),
      columns,
      wideColumns,
      nameOf: ({ cluster }) => plainText(cluster.name),
      document: output === 'json' || output === 'yaml' ? { clusters: items, paused } : null,
    });
    if (items.length === 0) say(cli, 'No clusters yet; `yard cluster add NAME` attaches one.');
    if (output === 'table' || output === 'wide') remarks(cli, items, paused);
  });
};

function linesOf(cluster: Cluster): Line[] {
  return [{ cluster, pool: null }, ...cluster.pools.map((pool) => ({ cluster, pool }))];
}

/** What the numbers do not say: why nothing is placed, and what they leave out. */
function remarks(cli: Cli, items: readonly Cluster[], paused: Clusters['paused']): void {
  const { colours } = look(cli, 'stderr');
  const warn = (text: string) => say(cli, paint({ text: plainText(text), colour: 'yellow' }, colours));
  if (paused) warn(`Nothing is placed since ${paused.since}: ${paused.reason}`);
  for (const { name, breakerReason, notes } of items) {
    if (breakerReason) warn(`${name}: ${breakerReason}`);
    for (const note of notes) say(cli, plainText(`${name}: ${note}`));
  }
}

const columns: Column<Line>[] = [
  { header: 'CLUSTER', cell: ({ cluster }) => cluster.name, shrinksTo: 10 },
  { header: 'POOL', cell: ({ pool }) => (pool ? pool.name : '-'), shrinksTo: 6 },
  { header: 'STATE', cell: ({ cluster, pool }) => stateText(pool ? poolState(pool) : clusterState(cluster)) },
  { header: 'NODES', cell: free('nodes') },
  { header: 'CPUS', cell: free('cpus') },
  { header: 'MEMORY', cell: freeMemory },
  { header: 'GPUS', cell: free('gpus') },
  { header: 'RUN', cell: ({ cluster, pool }) => count((pool ?? cluster).runningJobs) },
  { header: 'WAIT', cell: ({ cluster, pool }) => count((pool ?? cluster).waitingJobs) },
  { header: 'AGE', cell: ({ cluster }) => (cluster.reportAgeMs === null ? '-' : age(cluster.reportAgeMs)) },
];

const wideColumns: Column<Line>[] = [
  ...columns,
  { header: 'OURS', cell: ({ cluster, pool }) => (pool ? '-' : ours(cluster)) },
  { header: 'LARGEST-SLOT', cell: ({ pool }) => (pool ? slot(pool) : '-') },
  { header: 'WALLTIME', cell: ({ pool }) => (pool?.maxWalltimeSeconds ? formatSeconds(pool.maxWalltimeSeconds) : '-') },
  { header: 'KIND', cell: ({ cluster }) => cluster.kind },
  { header: 'SOFTWARE', cell: ({ cluster }) => cluster.software ?? '-', sentence: true },
];

function clusterState({ state, admission }: Cluster): string {
  if (state !== 'connected') return state;
  return admission === 'active' ? state : admission;
}

function poolState({ up }: PoolReport): string {
  return up ? 'up' : 'down';
}

function free(what: 'nodes' | 'cpus' | 'gpus') {
  return ({ cluster, pool }: Line): string => {
    const { total, free: left } = pool ?? cluster;
    return total && left ? share(left[what], total[what]) : '-';
  };
}

function freeMemory({ cluster, pool }: Line): string {
  const { total, free: left } = pool ?? cluster;
  return total && left && total.memoryMiB > 0 ? memoryShare(left.memoryMiB, total.memoryMiB) : '-';
}

function ours({ ourRunningTasks, ourWaitingTasks }: Cluster): string {
  return `${ourRunningTasks}+${ourWaitingTasks}`;
}

function slot({ largestFreeSlot: { cpus, memoryMiB, gpus } }: PoolReport): string {
  return `${cpus}c/${memoryMiB}Mi${gpus > 0 ? `/${gpus}g` : ''}`;
}

function count(value: number | null): string {
  return value === null ? '-' : String(value);
}
