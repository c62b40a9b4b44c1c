import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { WrapperJob } from '@switchyard/agent-runtime/native-queue.ts';
import { FIELD } from './dialect.ts';
import { ACCOUNTING_FIELDS } from './parse/accounting.ts';
import { LISTING_FIELDS } from './parse/listing.ts';
import { sizeOptions } from './submit-options.ts';

export type Argv = readonly [program: string, ...args: string[]];

/** Everybody's jobs in every state, of this cluster only, hidden partitions too; `nonce` starts each line (parse/listing). */
export function listCommand(nonce: string): Argv {
  return ['squeue', '--all', '--local', '--states=all', `--format=${nonce}${LISTING_FIELDS.join(FIELD)}`];
}

/** Exit codes and restarts, which `--format` has no letter for; numbers, so that the fixed width cuts nothing. */
export function exitsCommand(uid: string): Argv {
  return [
    'squeue',
    '--all',
    '--local',
    '--noheader',
    '--states=all',
    `--user=${uid}`,
    '--Format=JobID:20,ArrayJobID:20,exit_code:20,RestartCnt:20',
  ];
}

export function configCommand(): Argv {
  return ['scontrol', 'show', 'config'];
}

export function partitionsCommand(): Argv {
  return ['scontrol', '--all', '--oneliner', 'show', 'partition'];
}

export function nodesCommand(): Argv {
  return ['scontrol', '--all', '--oneliner', '--details', 'show', 'node'];
}

/** `--allocations`: jobs without their steps. Ids alone set no time window (sacct(1), DEFAULT TIME WINDOW). */
export function accountingCommand(nativeIds: readonly string[], uid: string): Argv {
  return [
    'sacct',
    '--allocations',
    '--noheader',
    '--parsable2',
    `--user=${uid}`,
    `--delimiter=${FIELD}`,
    `--format=${ACCOUNTING_FIELDS.join(',')}`,
    `--jobs=${nativeIds.join(',')}`,
  ];
}

/** Exactly these jobs and array tasks; SIGTERM, then SIGKILL after the site's KillWait. */
export function cancelCommand(nativeIds: readonly string[]): Argv {
  return ['scancel', ...nativeIds];
}

/**
 * The wrapper comes by standard input and the environment by file descriptor 3 (sbatch(1) `--export-file`): a list in
 * `--export` is cut at commas and hides the script's own exports from srun (tried). Resource limits of this process mean
 * nothing to the job.
 */
export function submitCommand(order: RunOrder, wrapper: WrapperJob, nativeArgs: readonly string[]): Argv {
  const { spec } = order;
  return [
    'sbatch',
    '--parsable',
    spec.rerunnable ? '--requeue' : '--no-requeue',
    '--export-file=3',
    '--propagate=NONE',
    '--open-mode=append',
    `--comment=${order.marker}`,
    `--job-name=${spec.name}`,
    `--chdir=${wrapper.workdir}`,
    `--output=${wrapper.stdoutPath}`,
    ...(wrapper.stderrPath === wrapper.stdoutPath ? [] : [`--error=${wrapper.stderrPath}`]),
    ...(spec.stdin === undefined ? [] : [`--input=${inputPath(spec.stdin, wrapper.workdir)}`]),
    ...(wrapper.arrayTasks === '' ? [] : [`--array=${wrapper.arrayTasks}`]),
    ...(order.pool === '' ? [] : [`--partition=${order.pool}`]),
    ...sizeOptions(spec),
    ...nativeArgs,
  ];
}

/** sbatch expands `%` in the input path too; here it is a plain path. */
function inputPath(path: string, workdir: string): string {
  return (path.startsWith('/') ? path : `${workdir}/${path}`).replaceAll('%', '%%');
}
