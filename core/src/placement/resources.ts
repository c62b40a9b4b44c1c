import type { JobSpec, Resources } from '../spec/job-spec.ts';

/** What one task of a job's array needs, in whole numbers; 0 memory: the job leaves it to the cluster's default. */
export type ResourceRequest = {
  /** The least number of nodes. */
  readonly nodes: number;
  /** Processes (MPI ranks), not array tasks. */
  readonly tasks: number;
  /** In total. */
  readonly cpus: number;
  /** The least that one node must give; of a job that names no node count, for one process. */
  readonly cpusPerNode: number;
  readonly memoryMiB: number;
  readonly memoryMiBPerNode: number;
  readonly gpus: number;
  readonly gpusPerNode: number;
  readonly gpuType: string | null;
  readonly walltimeSeconds: number | null;
  readonly exclusive: boolean;
};

/** The sizes of one task as sbatch(1) would count them from the same numbers. */
export function requestOf(spec: Pick<JobSpec, 'resources'>): ResourceRequest {
  const { resources } = spec;
  const { cpusPerTask, gpusPerNode } = resources;
  const tasks = taskCount(resources);
  const nodes = nodeCount(resources, tasks);
  const spreads = resources.nodes === undefined && resources.tasksPerNode === undefined;
  const tasksPerNode = spreads ? 1 : Math.ceil(tasks / nodes);
  const cpusPerNode = tasksPerNode * cpusPerTask;
  const cpus = tasks * cpusPerTask;
  return {
    ...{ nodes, tasks, cpus, cpusPerNode },
    ...memory(resources, { nodes, tasks, cpus, tasksPerNode, cpusPerNode }),
    gpus: gpusPerNode * nodes,
    gpusPerNode,
    gpuType: resources.gpuType ?? null,
    walltimeSeconds: resources.walltimeSeconds ?? null,
    exclusive: resources.exclusive,
  };
}

/** Without a number of tasks, each node gets `tasksPerNode` of them, one by default. */
function taskCount({ tasks, nodes, tasksPerNode = 1 }: Resources): number {
  return tasks === 1 && nodes !== undefined ? nodes * tasksPerNode : tasks;
}

function nodeCount({ nodes, tasksPerNode }: Resources, tasks: number): number {
  return nodes ?? (tasksPerNode === undefined ? 1 : Math.ceil(tasks / tasksPerNode));
}

function memory(
  { memoryMiBPerNode, memoryMiBPerCpu, memoryMiBPerTask }: Resources,
  size: { nodes: number; tasks: number; cpus: number; tasksPerNode: number; cpusPerNode: number },
) {
  if (memoryMiBPerNode !== undefined) return { memoryMiB: memoryMiBPerNode * size.nodes, memoryMiBPerNode };
  if (memoryMiBPerCpu !== undefined)
    return { memoryMiB: memoryMiBPerCpu * size.cpus, memoryMiBPerNode: memoryMiBPerCpu * size.cpusPerNode };
  const perTask = memoryMiBPerTask ?? 0;
  return { memoryMiB: perTask * size.tasks, memoryMiBPerNode: perTask * size.tasksPerNode };
}
