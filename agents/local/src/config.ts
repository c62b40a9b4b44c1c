import { availableParallelism, totalmem } from 'node:os';
import { z } from 'zod';

/** The `local` section of an agent's YAML: what jobs may use of this host. */
export const localConfigSchema = z.strictObject({
  cpus: z.int().min(1).max(100_000).default(availableParallelism),
  memoryMiB: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(() => Math.floor(totalmem() / 1_048_576)),
  /** Between TERM and KILL, as Slurm's KillWait. */
  killWaitMs: z.int().min(0).max(600_000).default(5000),
  /** How long an ended job stays in the listing, as Slurm's MinJobAge. */
  keepEndedMs: z.int().min(0).max(86_400_000).default(300_000),
});

export type LocalConfig = z.output<typeof localConfigSchema>;
export type LocalConfigInput = z.input<typeof localConfigSchema>;
