import type { SlurmConfig } from './config.ts';

/** Releases whose text output is known to have the fields used here: squeue(1), scontrol(1), sacct(1). */
export const OLDEST_KNOWN = '20.11';
export const NEWEST_KNOWN = '26.05';

/** Between the fields of one line (ASCII unit separator): in no id, state or time. */
export const FIELD = '\x1f';

/**
 * The whole environment of a Slurm command. Nothing is inherited, for SQUEUE_STATES, SCANCEL_STATE, SBATCH_PARTITION and
 * their like change what the commands do (ENVIRONMENT VARIABLES in each manual page).
 */
export function commandEnvironment(
  config: Pick<SlurmConfig, 'conf'>,
  from: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept = Object.fromEntries(
    ['PATH', 'HOME', 'USER', 'LOGNAME', 'TZ', 'LD_LIBRARY_PATH', 'SLURM_CONF_SERVER'].flatMap((name) => {
      const value = from[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const conf = config.conf ?? from['SLURM_CONF'];
  return {
    PATH: '/usr/bin:/bin',
    ...kept,
    LC_ALL: 'C.UTF-8',
    // squeue(1): without it the task list of a merged array line is cut after 64 characters.
    SLURM_BITSTR_LEN: '0',
    SLURM_TIME_FORMAT: '%s',
    ...(conf === undefined ? {} : { SLURM_CONF: conf }),
  };
}
