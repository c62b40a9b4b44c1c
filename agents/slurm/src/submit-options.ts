import { requestOf } from '@switchyard/core/placement/resources.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';

/** Sizes, limits and signals of a job as options of sbatch(1); everything is said, nothing is left to #SBATCH lines. */
export function sizeOptions(spec: JobSpec): string[] {
  const { resources, signal, constraints } = spec;
  const { features = [] } = constraints;
  return [
    ...nodeOptions(spec),
    ...option('cpus-per-task', resources.cpusPerTask > 1 ? resources.cpusPerTask : undefined),
    ...memoryOptions(spec),
    ...option('gres', gres(spec)),
    ...option('time', resources.walltimeSeconds === undefined ? undefined : clock(resources.walltimeSeconds)),
    ...(resources.exclusive ? ['--exclusive'] : []),
    ...option('constraint', features.length === 0 ? undefined : features.join('&')),
    ...option('signal', signal && `${signal.batchOnly ? 'B:' : ''}${signal.name}@${signal.beforeEndSeconds}`),
  ];
}

/** One task on one node is the default, and saying so would set SLURM_NTASKS where plain sbatch does not. */
function nodeOptions(spec: JobSpec): string[] {
  const { nodes, tasks, tasksPerNode } = spec.resources;
  return [
    ...option('nodes', nodes),
    ...option('ntasks', tasks > 1 ? tasks : undefined),
    ...option('ntasks-per-node', tasksPerNode),
  ];
}

/** sbatch knows memory per node and per CPU; memory per process becomes memory per CPU, rounded up. */
function memoryOptions(spec: JobSpec): string[] {
  const { memoryMiBPerNode, memoryMiBPerCpu, memoryMiBPerTask, cpusPerTask, tasksPerNode } = spec.resources;
  if (memoryMiBPerNode !== undefined) return [`--mem=${memoryMiBPerNode}M`];
  if (memoryMiBPerCpu !== undefined) return [`--mem-per-cpu=${memoryMiBPerCpu}M`];
  if (memoryMiBPerTask === undefined) return [];
  // A whole number of processes on each node: then the exact sum can be said.
  if (tasksPerNode !== undefined || requestOf(spec).tasks === 1)
    return [`--mem=${memoryMiBPerTask * (tasksPerNode ?? 1)}M`];
  return [`--mem-per-cpu=${Math.ceil(memoryMiBPerTask / cpusPerTask)}M`];
}

function gres({ resources: { gpusPerNode, gpuType } }: JobSpec): string | undefined {
  if (gpusPerNode === 0) return undefined;
  return gpuType === undefined ? `gpu:${gpusPerNode}` : `gpu:${gpuType}:${gpusPerNode}`;
}

/** `minutes:seconds`, which Slurm rounds up to a minute. */
function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function option(name: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [`--${name}=${value}`];
}
