import { POOL_OPTIONS } from '../spec/native-options.ts';
import { list, no, type Objection } from './objection.ts';
import type { RequestShape } from './request-shape.ts';
import type { ClusterView } from './snapshot.ts';

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

/** Options for clusters of another kind say nothing here; what names a pool is judged as one. */
function nativeOption(shape: RequestShape, { kind, allowedNativeOptions }: ClusterView): Objection {
  if (kind === 'local') return null;
  const asked = Object.keys(shape.native[kind] ?? {});
  const denied = asked.find((name) => !POOL_OPTIONS[kind].includes(name) && !allowedNativeOptions.includes(name));
  return denied === undefined ? null : no('native_option', `its agent does not allow the ${kind} option '${denied}'`);
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

/** `/scratch` covers `/scratch` and `/scratch/a`, not `/scratch2`. */
function covers(prefix: string, path: string): boolean {
  const folder = prefix.replace(/\/+$/, '');
  return path === folder || path.startsWith(`${folder}/`);
}
