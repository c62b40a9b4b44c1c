import type { ClusterKind } from './job-spec.ts';

/** Which native options of a kind of cluster name its pools; placement judges them, and the first that is given counts. */
export const POOL_OPTIONS: Readonly<Record<ClusterKind, readonly string[]>> = {
  slurm: ['partition'],
  lsf: ['queue'],
  kubernetes: ['queue', 'pool'],
  local: [],
};

/**
 * The long options of sbatch(1) that a job may carry under `native.slurm`, and whether they take a value: those that the spec does
 * not say itself and that change neither who the job is, nor how it is found again, nor whether it can start twice. A cluster's own
 * policy may allow fewer.
 */
export const NATIVE_SLURM_OPTIONS: Readonly<Record<string, 'text' | 'flag'>> = {
  account: 'text',
  'acctg-freq': 'text',
  bb: 'text',
  contiguous: 'flag',
  'core-spec': 'text',
  'cores-per-socket': 'text',
  'cpus-per-gpu': 'text',
  distribution: 'text',
  exclude: 'text',
  'gpus-per-task': 'text',
  hint: 'text',
  licenses: 'text',
  'mail-type': 'text',
  'mail-user': 'text',
  'mem-per-gpu': 'text',
  mincpus: 'text',
  nice: 'text',
  nodelist: 'text',
  'ntasks-per-core': 'text',
  'ntasks-per-socket': 'text',
  'open-mode': 'text',
  overcommit: 'flag',
  oversubscribe: 'flag',
  partition: 'text',
  profile: 'text',
  propagate: 'text',
  qos: 'text',
  reservation: 'text',
  'sockets-per-node': 'text',
  'spread-job': 'flag',
  switches: 'text',
  'thread-spec': 'text',
  'threads-per-core': 'text',
  tmp: 'text',
  'use-min-nodes': 'flag',
  wckey: 'text',
};

/**
 * What a job may carry under `native.kubernetes`, and what kind of value it takes: what the spec does not say itself and what
 * widens neither what the pod may do nor where it may run. A cluster's own policy may allow fewer.
 */
export const NATIVE_KUBERNETES_OPTIONS: Readonly<Record<string, 'text' | 'number' | 'map'>> = {
  /** Scratch space on the node, in requests and limits. */
  ephemeralStorageMiB: 'number',
  /** Kueue's WorkloadPriorityClass. */
  kueuePriorityClassName: 'text',
  nodeSelector: 'map',
  /** A class of nodes, as the agent's file names it. */
  pool: 'text',
  priorityClassName: 'text',
  /** A LocalQueue of Kueue. */
  queue: 'text',
  serviceAccountName: 'text',
  /** Size of /dev/shm, which is 64 MiB else; counts as memory of the job. */
  shmSizeMiB: 'number',
};
