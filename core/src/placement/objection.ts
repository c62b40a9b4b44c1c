import type { Refusal, RefusalKind } from './snapshot.ts';

/** Why not, before the cluster's name is put to it; null: nothing stands against it. */
export type Objection = { readonly kind: RefusalKind; readonly sentence: string } | null;

/** What waiting cannot change: only the job, the cluster's configuration or an administrator can. */
const PERMANENT: readonly RefusalKind[] = [
  'constraint_cluster',
  'constraint_kind',
  'constraint_label',
  'constraint_feature',
  'filesystem',
  'native_option',
  'pool_unknown',
  'pool_walltime',
  'pool_nodes',
  'never_fits_cpus',
  'never_fits_memory',
  'never_fits_gpus',
  'array_index',
  'image',
];

export function refusal(cluster: string, objection: NonNullable<Objection>): Refusal {
  return { cluster, ...objection, permanent: PERMANENT.includes(objection.kind) };
}

export function no(kind: RefusalKind, sentence: string): Objection {
  return { kind, sentence };
}

/** Names for a sentence: `'a', 'b'`. */
export function list(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}
