import { parseDuration, parseWhole } from './amounts.ts';
import { type ScontrolRecord, scontrolRecords } from './record.ts';

export type SlurmPartition = {
  readonly name: string;
  readonly isDefault: boolean;
  /** `UP`, `DOWN`, `DRAIN`, `INACTIVE`. */
  readonly state: string;
  readonly maxWalltimeSeconds: number | null;
  readonly defaultWalltimeSeconds: number | null;
  readonly maxNodesPerJob: number | null;
  readonly maxCpusPerNode: number | null;
  readonly maxMemoryMiBPerNode: number | null;
};

/** `scontrol --oneliner show partition`; `UNLIMITED`, `NONE` and absent keys are null. */
export function parsePartitions(text: string): SlurmPartition[] {
  return scontrolRecords(text, 'PartitionName').map(slurmPartition);
}

function slurmPartition(record: ScontrolRecord): SlurmPartition {
  const maxWalltimeSeconds = parseDuration(record.get('MaxTime'));
  return {
    name: record.get('PartitionName'),
    isDefault: record.get('Default') === 'YES',
    state: record.get('State'),
    maxWalltimeSeconds,
    // Without DefaultTime a job gets MaxTime (slurm.conf(5)).
    defaultWalltimeSeconds: parseDuration(record.get('DefaultTime')) ?? maxWalltimeSeconds,
    maxNodesPerJob: parseWhole(record.get('MaxNodes')),
    maxCpusPerNode: parseWhole(record.get('MaxCPUsPerNode')),
    maxMemoryMiBPerNode: parseWhole(record.get('MaxMemPerNode')),
  };
}
