import { formatSeconds } from '../spec/format-seconds.ts';
import { nearestName } from '../spec/nearest-name.ts';
import type { PoolReport } from './capacity-report.ts';
import { namedPools, type RequestShape } from './request-shape.ts';
import type { ClusterView, Refusal, RefusalKind } from './snapshot.ts';

/** Why not, before the cluster's name is put to it; null: nothing stands against it. */
export type Objection = { readonly kind: RefusalKind; readonly sentence: string } | null;

/** What waiting cannot change: only the job, the cluster's configuration or an administrator can. */
const PERMANENT: readonly RefusalKind[] = [
  ...(['constraint_cluster', 'constraint_kind', 'constraint_label', 'constraint_feature', 'filesystem'] as const),
  ...([
    'native_option',
    'pool_unknown',
    'pool_walltime',
    'pool_nodes',
    'never_fits_cpus',
    'never_fits_memory',
  ] as const),
  ...(['never_fits_gpus', 'array_index', 'image'] as const),
];

export function refusal(cluster: string, objection: NonNullable<Objection>): Refusal {
  return { cluster, ...objection, permanent: PERMANENT.includes(objection.kind) };
}

/** What the cluster as a whole has against every job of this shape, first objection first. */
export function clusterObjection(
  shape: RequestShape,
  cluster: ClusterView,
  everybody: readonly ClusterView[],
): Objection {
  return (
    constraintCluster(shape, cluster) ??
    constraintKind(shape, cluster) ??
    constraintLabel(shape, cluster) ??
    image(shape, cluster) ??
    needs(shape, cluster) ??
    paths(shape, cluster, everybody) ??
    nativeOption(shape, cluster)
  );
}

/** The job's own list of clusters: in it, and not excluded. */
function constraintCluster(
  { constraints: { clusters, excludeClusters } }: RequestShape,
  { name }: ClusterView,
): Objection {
  if (clusters && !clusters.includes(name)) return no('constraint_cluster', `the job asks for ${list(clusters)} only`);
  return excludeClusters?.includes(name) ? no('constraint_cluster', 'the job excludes this cluster') : null;
}

function constraintKind({ constraints: { kinds } }: RequestShape, { kind }: ClusterView): Objection {
  return kinds && !kinds.includes(kind)
    ? no('constraint_kind', `it is ${kind}, the job asks for ${list(kinds)}`)
    : null;
}

/** Every label asked for has exactly the value asked for. */
function constraintLabel({ constraints: { clusterLabels = {} } }: RequestShape, { labels }: ClusterView): Objection {
  for (const [key, value] of Object.entries(clusterLabels)) {
    const own = Object.hasOwn(labels, key) ? `is '${labels[key]}'` : 'is not set';
    if (labels[key] !== value) return no('constraint_label', `its label '${key}' ${own}, the job asks for '${value}'`);
  }
  return null;
}

/** Images run where the cluster's own runtime takes them as a part of the job, so far on Kubernetes. */
function image(shape: RequestShape, { kind }: ClusterView): Objection {
  return shape.image !== null && kind !== 'kubernetes'
    ? no('image', `it runs no container images, the job asks for '${shape.image}'`)
    : null;
}

function needs(shape: RequestShape, { filesystems }: ClusterView): Objection {
  const missing = shape.needs.find((id) => !filesystems.some((own) => own.id === id));
  return missing === undefined ? null : no('filesystem', `it does not have the file system '${missing}'`);
}

/** A path on a file system that some cluster declares must be on a declared one here; paths that nobody declares are not judged. */
function paths(shape: RequestShape, cluster: ClusterView, everybody: readonly ClusterView[]): Objection {
  for (const path of shape.paths) {
    const declared = everybody.flatMap((other) => other.filesystems).find((each) => covers(each.pathPrefix, path));
    if (declared && !cluster.filesystems.some((own) => covers(own.pathPrefix, path)))
      return no('filesystem', `it does not have '${path}' (file system '${declared.id}')`);
  }
  return null;
}

/** Options for clusters of another kind say nothing here; the partition or queue is judged as a pool. */
function nativeOption(shape: RequestShape, { kind, allowedNativeOptions }: ClusterView): Objection {
  if (kind === 'local') return null;
  const pool = kind === 'slurm' ? 'partition' : kind === 'lsf' ? 'queue' : null;
  const asked = Object.keys(shape.native[kind] ?? {});
  const denied = asked.find((name) => name !== pool && !allowedNativeOptions.includes(name));
  return denied === undefined ? null : no('native_option', `its agent does not allow the ${kind} option '${denied}'`);
}

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
  ...([
    'constraint_feature',
    'never_fits_gpus',
    'never_fits_cpus',
    'never_fits_memory',
    'pool_nodes',
    'pool_walltime',
  ] as const),
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

/** What stands against placing anything on the cluster at this moment, whatever the job. */
export function momentaryObjection(cluster: ClusterView, nowMs: number, staleAfterMs: number): Objection {
  const { admission, report, reportedAtMs, connected, breakerReason } = cluster;
  if (admission === 'cordoned') return no('cordoned', 'it is cordoned: it takes no new jobs');
  if (admission === 'draining') return no('draining', 'it is being drained: it takes no new jobs');
  if (report === null || reportedAtMs === null)
    return no('never_reported', 'its agent has not reported any capacity yet');
  if (!connected) return no('disconnected', 'its agent is not connected');
  const ageMs = nowMs - reportedAtMs;
  if (ageMs > staleAfterMs) return no('stale_report', `its last report is ${Math.round(ageMs / 1000)} s old`);
  return breakerReason === null ? null : no('breaker_open', breakerReason);
}

function word({ kind }: ClusterView): string {
  return kind === 'slurm' ? 'partition' : kind === 'lsf' ? 'queue' : 'pool';
}

/** `/scratch` covers `/scratch` and `/scratch/a`, not `/scratch2`. */
function covers(prefix: string, path: string): boolean {
  const folder = prefix.replace(/\/+$/, '');
  return path === folder || path.startsWith(`${folder}/`);
}

function smallest(value: number, limit: number | null): number {
  return limit === null ? value : Math.min(value, limit);
}

function list(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}

function no(kind: RefusalKind, sentence: string): Objection {
  return { kind, sentence };
}
