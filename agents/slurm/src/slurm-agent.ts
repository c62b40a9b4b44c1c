import { join } from 'node:path';
import { claimKind } from '@switchyard/agent-runtime/claim-kind.ts';
import { NATIVE_SLURM_OPTIONS } from '@switchyard/core/spec/native-options.ts';
import { type SlurmConfig, slurmConfigSchema } from './config.ts';
import { slurmQueue } from './slurm-queue.ts';

const PROGRAMS = ['sbatch', 'squeue', 'scancel', 'scontrol'];

/** Slurm, as `yard agent` loads it. */
export const slurmAgent = claimKind({
  kind: 'slurm',
  section: slurmConfigSchema,
  nativeOptions: Object.keys(NATIVE_SLURM_OPTIONS),
  programs: ({ section }) => {
    const { binDir } = section as SlurmConfig;
    return PROGRAMS.map((program) => ({
      file: binDir === undefined ? program : join(binDir, program),
      args: ['--version'],
      advice: `install Slurm's client commands, or say where they are in slurm.binDir`,
    }));
  },
  openQueue: async ({ section, policy }) => {
    const slurm = section as SlurmConfig;
    const partitions = slurm.partitions ?? policy.allowedPools;
    return slurmQueue({ ...slurm, ...(partitions === undefined ? {} : { partitions }) });
  },
});
