import type { ClusterKind, JobSpec } from '../spec/job-spec.ts';
import { POOL_OPTIONS } from '../spec/native-options.ts';
import { type ResourceRequest, requestOf } from './resources.ts';

/** Everything of a job that decides which clusters can take it at all: jobs of one shape share one answer. */
export type RequestShape = {
  readonly request: ResourceRequest;
  readonly constraints: JobSpec['constraints'];
  readonly needs: readonly string[];
  /** Absolute paths that the cluster must have. */
  readonly paths: readonly string[];
  readonly native: JobSpec['native'];
  readonly image: string | null;
};

export function shapeOf(spec: JobSpec): RequestShape {
  const { constraints, needs, native, image = null } = spec;
  return { request: requestOf(spec), constraints, needs, paths: absolutePaths(spec), native, image };
}

/** Equal keys mean equal shapes; two ways of writing one shape may differ, which costs only time. */
export function shapeKey(spec: JobSpec): string {
  const { resources, constraints, needs, native, image, workdir, stdout, stderr, stdin } = spec;
  return JSON.stringify([resources, constraints, needs, native, image, workdir, stdout, stderr, stdin]);
}

/** The pools that the job names for clusters of this kind; null: any. */
export function namedPools({ native }: RequestShape, kind: ClusterKind): readonly string[] | null {
  if (kind === 'local') return null;
  const value = POOL_OPTIONS[kind].map((option) => native[kind]?.[option]).find((each) => typeof each === 'string');
  return value === undefined ? null : value.split(/[, ]+/).filter((name) => name !== '');
}

function absolutePaths({ workdir, stdout, stderr, stdin }: JobSpec): string[] {
  return [workdir, stdout, stderr, stdin].filter((path) => path?.startsWith('/')).map((path) => path!);
}
