import { applySubmission } from './apply-submission.ts';
import type { JobSpecInput } from './job-spec.ts';
import { NATIVE_SLURM_OPTIONS } from './native-options.ts';
import { sbatchArguments } from './sbatch-arguments.ts';
import { type SbatchOption, sbatchOptions } from './sbatch-options.ts';
import { REFUSED, TRANSLATIONS } from './sbatch-translations.ts';
import type { SpecProblem } from './spec-problem.ts';

export type Directives = { ok: true; partial: Partial<JobSpecInput> } | { ok: false; problems: SpecProblem[] };

/**
 * What the `#SBATCH` lines of a script say, as a part of the spec. Each option is translated, passed on under `native.slurm`, or
 * refused by name; none is dropped. As with sbatch the last one of a name counts. An option that only Slurm has keeps the job on
 * Slurm clusters. `nowMs` is needed for `now+1hour` alone.
 */
export function readSbatchDirectives(script: string, nowMs: number | null = null): Directives {
  const { words, problems: unread } = sbatchArguments(script);
  const { options, problems: unknown } = sbatchOptions(words);
  const problems = [...unread, ...unknown];
  const last = lastOfEach(options);
  const values = new Map([...last.values()].map(({ name, value }) => [name, value]));
  let partial: Partial<JobSpecInput> = {};
  for (const option of last.values()) {
    const meaning = meaningOf(option, values, nowMs);
    if (typeof meaning === 'string') problems.push(refused(option, meaning));
    else partial = applySubmission(partial, meaning);
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, partial };
}

/** In the order in which they were last given, so that `--requeue` after `--no-requeue` counts. */
function lastOfEach(options: readonly SbatchOption[]): Map<string, SbatchOption> {
  const last = new Map<string, SbatchOption>();
  for (const option of options) {
    last.delete(option.name);
    last.set(option.name, option);
  }
  return last;
}

function meaningOf(
  { name, value }: SbatchOption,
  all: ReadonlyMap<string, string>,
  nowMs: number | null,
): Partial<JobSpecInput> | string {
  if (Object.hasOwn(TRANSLATIONS, name)) return TRANSLATIONS[name]!(value, all, nowMs);
  if (Object.hasOwn(REFUSED, name)) return REFUSED[name]!;
  if (Object.hasOwn(NATIVE_SLURM_OPTIONS, name)) return native(name, value);
  return 'it has no meaning on clusters of other kinds and is not passed on';
}

/** sbatch(1): `--nice` alone is 100, `--propagate` alone is ALL. */
const WITHOUT_VALUE: Readonly<Record<string, string>> = { nice: '100', propagate: 'ALL' };

function native(name: string, value: string): Partial<JobSpecInput> {
  const own = NATIVE_SLURM_OPTIONS[name] === 'flag' ? true : value || WITHOUT_VALUE[name] || '';
  return { native: { slurm: { [name]: own } }, constraints: { kinds: ['slurm'] } };
}

function refused({ name, line }: SbatchOption, sentence: string): SpecProblem {
  return { path: '/script', message: `line ${line}: #SBATCH --${name} cannot be honoured: ${sentence}` };
}
