import { nearestName } from './nearest-name.ts';
import type { SbatchArgument } from './sbatch-arguments.ts';
import type { SpecProblem } from './spec-problem.ts';

/** An option by its long name; an option without a value has ''. */
export type SbatchOption = { readonly name: string; readonly value: string; readonly line: number };

/** Reads words as getopt_long(3) does for sbatch: `--name=value`, `--name value`, `-n value`, `-nvalue`, `-Hn2`, and abbreviations. */
export function sbatchOptions(words: readonly SbatchArgument[]): { options: SbatchOption[]; problems: SpecProblem[] } {
  const options: SbatchOption[] = [];
  const problems: SpecProblem[] = [];
  let wanting: SbatchOption | null = null;
  for (const { text, line } of words) {
    if (wanting !== null) {
      options.push({ ...wanting, value: text });
      wanting = null;
      continue;
    }
    const read = text.startsWith('--') ? readLong(text) : readShort(text);
    if (typeof read === 'string')
      problems.push(problem(line, read, read.startsWith('there is no') ? hint(text) : undefined));
    else
      for (const { name, value } of read) {
        if (value === null && takes(name) === 'value') wanting = { name, value: '', line };
        else options.push({ name, value: value ?? '', line });
      }
  }
  if (wanting !== null) problems.push(problem(wanting.line, `--${wanting.name} needs a value`));
  return { options, problems };
}

type Read = { name: string; value: string | null }[] | string;

function readLong(text: string): Read {
  const equals = text.indexOf('=');
  const given = text.slice(2, equals < 0 ? undefined : equals);
  const value = equals < 0 ? null : text.slice(equals + 1);
  const names = Object.hasOwn(TAKES, given) ? [given] : KNOWN.filter((name) => name.startsWith(given));
  if (given === '' || names.length === 0) return `there is no option '--${shorten(given)}' of sbatch`;
  if (names.length > 1) return `'--${given}' is ambiguous: ${names.map((name) => `--${name}`).join(', ')}`;
  const name = names[0]!;
  return value !== null && takes(name) === 'nothing' ? `--${name} takes no value` : [{ name, value }];
}

function readShort(text: string): Read {
  if (!/^-./.test(text)) return `'${shorten(text)}' is not an option`;
  const read: Exclude<Read, string> = [];
  for (let at = 1; at < text.length; at += 1) {
    const name = SHORT[text[at]!];
    if (name === undefined) return `there is no option '-${text[at]}' of sbatch`;
    if (takes(name) === 'nothing') read.push({ name, value: null });
    else return [...read, { name, value: text.slice(at + 1) || null }];
  }
  return read;
}

function takes(name: string): 'value' | 'optional' | 'nothing' {
  return TAKES[name] ?? 'value';
}

function hint(text: string): string | undefined {
  const meant = text.startsWith('--') ? nearestName(text.slice(2).split('=')[0]!, KNOWN) : null;
  return meant === null ? undefined : `did you mean '--${meant}'?`;
}

function problem(line: number, message: string, hint?: string): SpecProblem {
  return { path: '/script', message: `line ${line}: ${message}`, ...(hint === undefined ? {} : { hint }) };
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** sbatch(1) of Slurm 20.11 to 26.05. */
const SHORT: Readonly<Record<string, string>> = {
  ...{ A: 'account', a: 'array', b: 'begin', D: 'chdir', M: 'clusters', C: 'constraint', S: 'core-spec' },
  ...{ c: 'cpus-per-task', d: 'dependency', m: 'distribution', e: 'error', x: 'exclude', B: 'extra-node-info' },
  ...{ G: 'gpus', h: 'help', H: 'hold', i: 'input', J: 'job-name', L: 'licenses', k: 'no-kill', F: 'nodefile' },
  ...{ w: 'nodelist', N: 'nodes', n: 'ntasks', o: 'output', O: 'overcommit', s: 'oversubscribe', p: 'partition' },
  ...{ q: 'qos', Q: 'quiet', t: 'time', v: 'verbose', V: 'version', W: 'wait' },
};

const list = (names: string) => names.trim().split(/\s+/);

const VALUE = list(`
  account acctg-freq array batch bb bbf begin chdir cluster-constraint clusters comment constraint consolidate-segments container
  container-id core-spec cores-per-socket cpu-freq cpus-per-gpu cpus-per-task deadline delay-boot dependency distribution error
  exclude export export-file extra extra-node-info gid gpu-bind gpu-freq gpus gpus-per-node gpus-per-socket gpus-per-task gres
  gres-flags hint input job-name kill-on-invalid-dep licenses mail-type mail-user mcs-label mem mem-bind mem-per-cpu mem-per-gpu
  mincpus network nodefile nodelist nodes ntasks ntasks-per-core ntasks-per-gpu ntasks-per-node ntasks-per-socket open-mode output
  oom-kill-step partition power prefer priority profile qos reservation resv-ports segment signal sockets-per-node stepmgr switches
  thread-spec threads-per-core time time-min tmp tres-bind tres-per-task uid wait-all-nodes wckey wrap`);
const OPTIONAL = list('exclusive get-user-env nice no-kill propagate');
const NOTHING = list(`
  contiguous help hold ignore-pbs no-requeue overcommit oversubscribe parsable quiet reboot requeue spread-job test-only usage
  use-min-nodes verbose version wait`);

const TAKES: Readonly<Record<string, 'value' | 'optional' | 'nothing'>> = Object.fromEntries([
  ...VALUE.map((name) => [name, 'value']),
  ...OPTIONAL.map((name) => [name, 'optional']),
  ...NOTHING.map((name) => [name, 'nothing']),
]);
const KNOWN = Object.keys(TAKES);
