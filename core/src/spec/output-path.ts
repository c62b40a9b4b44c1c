import type { JobSpec } from './job-spec.ts';
import { isArray } from './task-set.ts';

/**
 * Output patterns in the dialect of sbatch(1) "filename pattern", resolved by us and not by the cluster, so that a path
 * means the same everywhere. `%j %J` job number (of an array task `<number>_<index>`), `%A` number, `%a` index, `%x` name,
 * `%u` user, `%%` a per cent sign, `%N` host. A number pads with zeros: `%4a`.
 */
export type OutputNames = {
  readonly jobNumber: number;
  readonly name: string;
  readonly user: string;
  readonly isArray: boolean;
};

const SYMBOL = /%(\d{0,2})(.?)/gsu;
const NUMBERS = 'jJAa';
const KNOWN = `${NUMBERS}xuN%`;

/** What is wrong with a pattern, as a sentence; null when it can be honoured. */
export function outputPatternProblem(pattern: string): string | null {
  for (const [whole, width, symbol] of pattern.matchAll(SYMBOL))
    if (symbol === '' || !(width === '' ? KNOWN : NUMBERS).includes(symbol!))
      return `'${whole}' cannot be filled in here: known are %j %J %A %a %x %u %N and %%`;
  // sbatch(1): a backslash switches all replacement off, which no other cluster knows.
  if (pattern.includes('\\')) return 'a backslash in an output path means different things on different clusters';
  return null;
}

/**
 * The pattern with everything filled in but what only the cluster knows: `%a` (of an array) and `%N` stay, and a literal per
 * cent sign stays doubled.
 */
export function outputTemplate(pattern: string, names: OutputNames): string {
  const index = (width: string) => (names.isArray ? `%${width}a` : '0'.padStart(Number(width), '0'));
  return pattern.replaceAll(SYMBOL, (whole, width: string, symbol: string) => {
    const number = String(names.jobNumber).padStart(Math.min(10, Number(width)), '0');
    if (symbol === 'j' || symbol === 'J') return names.isArray ? `${number}_${index('')}` : number;
    if (symbol === 'A') return number;
    if (symbol === 'a') return index(width);
    if (symbol === 'x') return literal(names.name.replaceAll('/', '_'));
    if (symbol === 'u') return literal(names.user.replaceAll('/', '_'));
    return whole;
  });
}

/** A template as the path of one task; an unknown host leaves `%N` in place. */
export function outputPath(template: string, task: number, host?: string): string {
  return template.replaceAll(SYMBOL, (whole, width: string, symbol: string) => {
    if (symbol === 'a') return String(task).padStart(Math.min(10, Number(width)), '0');
    if (symbol === 'N') return host ?? whole;
    return symbol === '%' ? '%' : whole;
  });
}

/** The templates of a job's two streams, absolute; the same text twice means one merged file. */
export function outputTemplates(
  spec: Pick<JobSpec, 'stdout' | 'stderr' | 'workdir' | 'name' | 'array'>,
  names: { readonly jobNumber: number; readonly user: string; readonly defaultWorkdir: string },
): { stdoutPath: string; stderrPath: string } {
  const array = isArray(spec);
  const all = { ...names, name: spec.name, isArray: array };
  const workdir = spec.workdir ?? names.defaultWorkdir;
  const resolve = (pattern: string) => absolute(outputTemplate(pattern, all), literal(workdir));
  const stdoutPath = resolve(spec.stdout ?? (array ? 'yard-%A_%a.out' : 'yard-%j.out'));
  return { stdoutPath, stderrPath: spec.stderr === undefined ? stdoutPath : resolve(spec.stderr) };
}

function absolute(path: string, workdir: string): string {
  return path.startsWith('/') ? path : `${workdir.replace(/\/+$/, '')}/${path}`;
}

function literal(text: string): string {
  return text.replaceAll('%', '%%');
}
