import { z } from 'zod';

const path = z.string().min(1).max(4096).regex(/^\//, 'must be an absolute path');

/** The `slurm` section of an agent's YAML: which Slurm of this host, and what of it may be used. */
export const slurmConfigSchema = z.strictObject({
  /** SLURM_CONF; without it the commands find their own default. */
  conf: path.optional(),
  /** Where the commands are, if not on PATH. */
  binDir: path.optional(),
  /** Partitions that jobs may be sent to; without it all that Slurm shows. */
  partitions: z
    .array(
      z
        .string()
        .min(1)
        .max(255)
        .regex(/^[^\s,]+$/, 'must be one partition name'),
    )
    .max(1000)
    .optional(),
  /** Milliseconds after which a command that did not answer is killed. sbatch retries by itself for much longer. */
  submitTimeoutMs: z.int().min(1000).max(600_000).default(30_000),
  queryTimeoutMs: z.int().min(1000).max(600_000).default(20_000),
});

export type SlurmConfig = z.output<typeof slurmConfigSchema>;
export type SlurmConfigInput = z.input<typeof slurmConfigSchema>;
