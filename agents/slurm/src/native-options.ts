import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';

type NativeOptions = NonNullable<JobSpec['native']['slurm']>;
export type NativeOptionsAnswer = { readonly args: readonly string[] } | { readonly problem: string };

/**
 * The long options of sbatch(1) that a job may name under `native.slurm`, with the kind of value they take. What the spec
 * says itself is not among them, nor what would change who the job is, how it is found again, or whether it can start twice.
 */
const ALLOWED: Readonly<Record<string, 'text' | 'flag' | 'either'>> = {
  account: 'text',
  'acctg-freq': 'text',
  bb: 'text',
  begin: 'text',
  constraint: 'text',
  contiguous: 'flag',
  'core-spec': 'text',
  'cores-per-socket': 'text',
  'cpu-freq': 'text',
  'cpus-per-gpu': 'text',
  deadline: 'text',
  'delay-boot': 'text',
  distribution: 'text',
  exclude: 'text',
  exclusive: 'either',
  extra: 'text',
  'extra-node-info': 'text',
  'gpu-bind': 'text',
  'gpu-freq': 'text',
  gpus: 'text',
  'gpus-per-node': 'text',
  'gpus-per-socket': 'text',
  'gpus-per-task': 'text',
  gres: 'text',
  'gres-flags': 'text',
  hint: 'text',
  licenses: 'text',
  'mail-type': 'text',
  'mail-user': 'text',
  'mem-bind': 'text',
  'mem-per-gpu': 'text',
  mincpus: 'text',
  network: 'text',
  nice: 'text',
  'no-kill': 'flag',
  nodelist: 'text',
  'ntasks-per-core': 'text',
  'ntasks-per-gpu': 'text',
  'ntasks-per-socket': 'text',
  overcommit: 'flag',
  oversubscribe: 'flag',
  partition: 'text',
  power: 'text',
  prefer: 'text',
  profile: 'text',
  qos: 'text',
  reservation: 'text',
  'sockets-per-node': 'text',
  'spread-job': 'flag',
  switches: 'text',
  'thread-spec': 'text',
  'threads-per-core': 'text',
  'time-min': 'text',
  tmp: 'text',
  'tres-bind': 'text',
  'tres-per-task': 'text',
  'use-min-nodes': 'flag',
  wckey: 'text',
};

/** Arguments for sbatch, or the first option that cannot be honoured, by name. */
export function nativeArguments(options: NativeOptions): NativeOptionsAnswer {
  const args: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(ALLOWED, name) ? ALLOWED[name]! : null;
    if (kind === null) return { problem: `native.slurm.${name} is not an option that may be passed to sbatch` };
    if (typeof value === 'object') return { problem: `native.slurm.${name} takes one value, not several` };
    if (typeof value === 'boolean' && kind === 'text') return { problem: `native.slurm.${name} needs a value` };
    if (typeof value !== 'boolean' && kind === 'flag') return { problem: `native.slurm.${name} takes true or false` };
    // The partition is placement's choice, which comes as the pool.
    if (name === 'partition' || value === false) continue;
    args.push(value === true ? `--${name}` : `--${name}=${value}`);
  }
  return { args };
}
