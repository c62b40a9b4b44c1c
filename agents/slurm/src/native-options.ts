import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { NATIVE_SLURM_OPTIONS } from '@switchyard/core/spec/native-options.ts';

type NativeOptions = NonNullable<JobSpec['native']['slurm']>;
type NativeArguments = { readonly args: readonly string[] } | { readonly problem: string };

/** Said elsewhere: the partition is the pool that placement chose, and the wrapper does what `open-mode` means. */
const NOT_PASSED = ['partition', 'open-mode'];

/** Arguments for sbatch from `native.slurm`, or the first option that cannot be honoured, by name. */
export function nativeArguments(options: NativeOptions): NativeArguments {
  const args: string[] = [];
  for (const [name, value] of Object.entries(options)) {
    const problem = problemOf(name, value);
    if (problem !== null) return { problem: `native.slurm.${name} ${problem}` };
    if (value === false || NOT_PASSED.includes(name)) continue;
    args.push(value === true ? `--${name}` : `--${name}=${value}`);
  }
  return { args };
}

function problemOf(name: string, value: NativeOptions[string]): string | null {
  const kind = Object.hasOwn(NATIVE_SLURM_OPTIONS, name) ? NATIVE_SLURM_OPTIONS[name] : null;
  if (kind === null) return 'is not an option that is passed on to sbatch';
  if (typeof value === 'object') return 'takes one value, not several';
  if (typeof value === 'boolean' && kind === 'text') return 'needs a value';
  return typeof value !== 'boolean' && kind === 'flag' ? 'takes true or false' : null;
}
