import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { WrapperJob } from '@switchyard/agent-runtime/native-queue.ts';

/**
 * The job's environment as `--export-file` reads it: NUL-separated. HOME, USER and PATH are always said, for no login shell
 * sets them; and with a file sbatch no longer says what it would have set itself (tried: the name, the directory, two options).
 */
export function environmentFile(order: RunOrder, wrapper: WrapperJob): string {
  const { hint, profile, 'open-mode': openMode } = order.spec.native.slurm ?? {};
  const environment: Record<string, string> = {
    HOME: process.env['HOME'] ?? '/',
    USER: process.env['USER'] ?? '',
    PATH: '/usr/local/bin:/usr/bin:/bin',
    SLURM_JOB_NAME: order.spec.name,
    SLURM_SUBMIT_DIR: wrapper.workdir,
    ...(typeof hint === 'string' ? { SLURM_HINT: hint } : {}),
    ...(typeof profile === 'string' ? { SLURM_PROFILE: profile } : {}),
    ...(openMode === 'append' ? { YARD_OPEN_MODE: 'append' } : {}),
    ...wrapper.environment,
  };
  return Object.entries(environment)
    .map(([name, value]) => `${name}=${value}\0`)
    .join('');
}
