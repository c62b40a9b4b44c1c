import { formatSeconds } from '../spec/format-seconds.ts';
import { nearestName } from '../spec/nearest-name.ts';
import type { PoolReport } from './capacity-report.ts';
import { list, no, type Objection } from './objection.ts';
import { namedPools, type RequestShape } from './request-shape.ts';
import type { ClusterView, RefusalKind } from './snapshot.ts';

export type PoolChoice = { readonly pools: readonly PoolReport[]; readonly objection: Objection };

/**
 * The pools that could take jobs of this shape: those that the job names, else the cluster's default, else, where the default
 * cannot, every other that can. Without one, the objection of the pool that came nearest.
 */
export function choosePools(shape: RequestShape, cluster: ClusterView, reported: readonly PoolReport[]): PoolChoice {
  const named = namedPools(shape, cluster.kind);
  const considered = named === null ? reported : reported.filter((pool) => named.includes(pool.name));
  if (considered.length === 0) return { pools: [], objection: unknownPool(named, cluster, reported) };
  const judged = considered.map((pool) => ({ pool, objection: poolObjection(shape, pool, word(cluster)) }));
  const fit = judged.filter(({ objection }) => objection === null).map(({ pool }) => pool);
  const defaults = fit.filter((pool) => pool.isDefault);
  if (fit.length > 0) return { pools: named === null && defaults.length > 0 ? defaults : fit, objection: null };
  return { pools: [], objection: nearest(judged.map(({ objection }) => objection!)) };
}

function unknownPool(
  named: readonly string[] | null,
  cluster: ClusterView,
  reported: readonly PoolReport[],
): Objection {
  if (named === null) return no('pool_down', `it reports no ${word(cluster)} at all`);
  const known = reported.map((pool) => pool.name);
  const meant = nearestName(named[0] ?? '', known);
  const hint = meant === null ? '' : `; there is '${meant}'`;
  return no('pool_unknown', `it has no ${word(cluster)} ${list(named)}${hint}`);
}

/** In the order of the checks, so that a later objection is a nearer miss; one that passes with time is nearest of all. */
const NEARNESS: readonly RefusalKind[] = [
  'constraint_feature',
  'never_fits_gpus',
  'never_fits_cpus',
  'never_fits_memory',
  'pool_nodes',
  'pool_walltime',
  'pool_down',
];

function nearest(objections: readonly NonNullable<Objection>[]): Objection {
  return [...objections].sort((left, right) => NEARNESS.indexOf(right.kind) - NEARNESS.indexOf(left.kind))[0] ?? null;
}

function poolObjection(shape: RequestShape, pool: PoolReport, what: string): Objection {
  const name = `${what} '${pool.name}'`;
  return (
    feature(shape, pool, name) ??
    gpus(shape, pool, name) ??
    cpus(shape, pool, name) ??
    memory(shape, pool, name) ??
    nodes(shape, pool, name) ??
    walltime(shape, pool, name) ??
    (pool.up ? null : no('pool_down', `${name} is ${pool.nativeState || 'down'}`))
  );
}

/** All features asked for exist in the pool; whether on the same node only the cluster knows. */
function feature({ constraints: { features = [] } }: RequestShape, pool: PoolReport, name: string): Objection {
  const missing = features.find((each) => !pool.features.includes(each));
  return missing === undefined ? null : no('constraint_feature', `${name} has no nodes with feature '${missing}'`);
}

/** Type exists; GPUs per node ≤ the best empty node; GPUs in total ≤ the whole pool. */
function gpus({ request }: RequestShape, pool: PoolReport, name: string): Objection {
  const { gpusPerNode, gpuType } = request;
  if (gpusPerNode === 0) return null;
  if (gpuType !== null && !pool.gpuTypes.includes(gpuType))
    return no('never_fits_gpus', `${name} has no GPUs of type '${gpuType}'`);
  if (gpusPerNode > pool.largestNode.gpus)
    return no(
      'never_fits_gpus',
      `${name} has at most ${pool.largestNode.gpus} GPUs in a node, the job asks for ${gpusPerNode}`,
    );
  return request.gpus > pool.total.gpus
    ? no('never_fits_gpus', `${name} has ${pool.total.gpus} GPUs, the job asks for ${request.gpus}`)
    : null;
}

/** CPUs per node ≤ the best empty node and the pool's own limit per node; CPUs in total ≤ the whole pool. */
function cpus({ request }: RequestShape, pool: PoolReport, name: string): Objection {
  const perNode = smallest(pool.largestNode.cpus, pool.maxCpusPerNode);
  if (request.cpusPerNode > perNode)
    return no(
      'never_fits_cpus',
      `${name} gives at most ${perNode} CPUs in a node, the job asks for ${request.cpusPerNode}`,
    );
  return request.cpus > pool.total.cpus
    ? no('never_fits_cpus', `${name} has ${pool.total.cpus} CPUs, the job asks for ${request.cpus}`)
    : null;
}

function memory({ request }: RequestShape, pool: PoolReport, name: string): Objection {
  const perNode = smallest(pool.largestNode.memoryMiB, pool.maxMemoryMiBPerNode);
  if (request.memoryMiBPerNode > perNode)
    return no(
      'never_fits_memory',
      `${name} gives at most ${perNode} MiB in a node, the job asks for ${request.memoryMiBPerNode} MiB`,
    );
  return request.memoryMiB > pool.total.memoryMiB
    ? no('never_fits_memory', `${name} has ${pool.total.memoryMiB} MiB, the job asks for ${request.memoryMiB} MiB`)
    : null;
}

/** Nodes ≤ the pool's limit for one job and ≤ the nodes that it has. */
function nodes({ request }: RequestShape, pool: PoolReport, name: string): Objection {
  const most = smallest(pool.total.nodes, pool.maxNodesPerJob);
  return request.nodes > most
    ? no('pool_nodes', `${name} allows ${most} nodes, the job asks for ${request.nodes}`)
    : null;
}

/** A job without a walltime gets the pool's default, which fits. */
function walltime({ request: { walltimeSeconds } }: RequestShape, pool: PoolReport, name: string): Objection {
  if (walltimeSeconds === null || pool.maxWalltimeSeconds === null || walltimeSeconds <= pool.maxWalltimeSeconds)
    return null;
  return no(
    'pool_walltime',
    `${name} allows ${formatSeconds(pool.maxWalltimeSeconds)}, the job asks for ${formatSeconds(walltimeSeconds)}`,
  );
}

function word({ kind }: ClusterView): string {
  return kind === 'slurm' ? 'partition' : kind === 'lsf' ? 'queue' : 'pool';
}

function smallest(value: number, limit: number | null): number {
  return limit === null ? value : Math.min(value, limit);
}
