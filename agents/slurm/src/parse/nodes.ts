import { parseGpus, parseWhole, sum } from './amounts.ts';
import { type ScontrolRecord, scontrolRecords } from './record.ts';

export type SlurmNode = {
  readonly name: string;
  readonly partitions: readonly string[];
  readonly state: string;
  /** Takes jobs now; nodes that sleep to save power do, for Slurm wakes them. */
  readonly usable: boolean;
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  readonly freeCpus: number;
  readonly freeMemoryMiB: number;
  readonly freeGpus: number;
  readonly gpuTypes: readonly string[];
  readonly features: readonly string[];
};

/** `scontrol --oneliner --details show node`; nodes of the future (FUTURE) are not there yet. */
export function parseNodes(text: string): SlurmNode[] {
  return scontrolRecords(text, 'NodeName')
    .map(slurmNode)
    .filter((node) => !/^FUTURE/.test(node.state));
}

function slurmNode(record: ScontrolRecord): SlurmNode {
  const number = (key: string) => parseWhole(record.get(key)) ?? 0;
  const gpus = parseGpus(record.get('Gres'));
  const total = {
    // From 22.05 on CPUEfctv leaves out the cores that the system keeps for itself.
    cpus: parseWhole(record.get('CPUEfctv')) ?? number('CPUTot'),
    memoryMiB: number('RealMemory') - number('MemSpecLimit'),
    gpus: sum(gpus.values()),
  };
  const state = record.get('State');
  const usable = isUsable(state);
  const free = (all: number, used: number) => (usable ? Math.max(0, all - used) : 0);
  return {
    name: record.get('NodeName'),
    partitions: list(record.get('Partitions')),
    state,
    usable,
    ...total,
    freeCpus: free(total.cpus, number('CPUAlloc')),
    freeMemoryMiB: free(total.memoryMiB, number('AllocMem')),
    freeGpus: free(total.gpus, sum(parseGpus(record.get('GresUsed')).values())),
    gpuTypes: [...gpus.keys()].filter((type) => type !== ''),
    features: list(record.get('AvailableFeatures')),
  };
}

/** NODE STATE CODES of sinfo(1): base state, flags after `+`, and `*` when the node does not answer. */
function isUsable(state: string): boolean {
  const [base = '', ...flags] = state.replace(/[*~#!%$@^-]+$/, '').split('+');
  const bad = [
    'DRAIN',
    'FAIL',
    'MAINTENANCE',
    'MAINT',
    'NOT_RESPONDING',
    'INVALID_REG',
    'POWERING_DOWN',
    'REBOOT',
    'REBOOT_ISSUED',
    'REBOOT_REQUESTED',
    'RESERVED',
    'BLOCKED',
  ];
  return (
    /^(IDLE|MIXED|ALLOCATED|PLANNED)$/.test(base) &&
    !state.includes('*') &&
    !flags.some((flag) => bad.includes(flag.replace('*', '')))
  );
}

function list(text: string): string[] {
  return text.split(',').filter((each) => each !== '');
}
