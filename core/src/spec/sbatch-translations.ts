import type { JobSpecInput } from './job-spec.ts';
import { parseSlurmMoment } from './parse-slurm-moment.ts';
import { parseSlurmTime } from './parse-slurm-time.ts';

/** What one option means in the spec, or, as a sentence, why it cannot be honoured. `all` holds every option of the script. */
export type Translation = (
  value: string,
  all: ReadonlyMap<string, string>,
  nowMs: number | null,
) => Partial<JobSpecInput> | string;

/** Every option of sbatch that the spec says in its own words. */
export const TRANSLATIONS: Readonly<Record<string, Translation>> = {
  'job-name': (name) => ({ name }),
  output: (stdout) => ({ stdout }),
  error: (stderr) => ({ stderr }),
  input: (stdin) => ({ stdin }),
  chdir: (workdir) =>
    workdir.startsWith('/') ? { workdir } : 'a directory relative to where sbatch runs; give an absolute path',
  time: walltime,
  ntasks: (value) => amount(value, (tasks) => ({ resources: { tasks } })),
  nodes: nodes,
  'ntasks-per-node': (value) => amount(value, (tasksPerNode) => ({ resources: { tasksPerNode } })),
  'cpus-per-task': (value) => amount(value, (cpusPerTask) => ({ resources: { cpusPerTask } })),
  mem: (value) => memory(value, (memoryMiBPerNode) => ({ resources: { memoryMiBPerNode } })),
  'mem-per-cpu': (value, all) =>
    all.has('mem')
      ? 'sbatch takes only one of --mem and --mem-per-cpu'
      : memory(value, (memoryMiBPerCpu) => ({ resources: { memoryMiBPerCpu } })),
  gres: gres,
  'gpus-per-node': gpusPerNode,
  gpus: gpus,
  array: array,
  signal: signal,
  requeue: () => ({ rerunnable: true }),
  'no-requeue': () => ({ rerunnable: false }),
  begin: (value, _, nowMs) => moment(value, nowMs, (ms) => ({ startAfter: iso(ms) })),
  deadline: deadline,
  dependency: dependency,
  exclusive: (value) =>
    value === '' ? { resources: { exclusive: true } } : `exclusive use by ${value} cannot be promised on every cluster`,
  constraint: constraint,
  export: environment,
  hold: () => ({ held: true }),
  clusters: (value) => (value === 'all' ? {} : { constraints: { clusters: value.split(',') } }),
  'kill-on-invalid-dep': (value) => (value === 'yes' ? {} : 'a job whose dependency can never be met always ends'),
  // These are about what sbatch itself prints, and it prints nothing here.
  quiet: () => ({}),
  verbose: () => ({}),
  parsable: () => ({}),
  'ignore-pbs': () => ({}),
};

function walltime(value: string): Partial<JobSpecInput> | string {
  const seconds = parseSlurmTime(value);
  if (seconds === 0 || /^(unlimited|infinite)$/i.test(value))
    return 'no limit at all cannot be promised on every cluster; name one';
  return seconds === null ? `'${value}' is not a time limit` : { resources: { walltimeSeconds: seconds } };
}

/** A range lets the cluster choose, which placement cannot plan with. */
function nodes(value: string): Partial<JobSpecInput> | string {
  const match = /^(\d+)([km]?)(?:-(\d+)([km]?))?$/i.exec(value);
  if (!match) return `'${value}' is not a number of nodes`;
  const least = scaled(match[1]!, match[2]!);
  const most = match[3] === undefined ? least : scaled(match[3], match[4]!);
  return least === most
    ? amount(String(least), (count) => ({ resources: { nodes: count } }))
    : 'a range of node counts; name one number';
}

function scaled(digits: string, suffix: string): number {
  return Number(digits) * ({ k: 1024, m: 1_048_576 }[suffix.toLowerCase()] ?? 1);
}

function amount(value: string, use: (amount: number) => Partial<JobSpecInput>): Partial<JobSpecInput> | string {
  return /^[1-9]\d{0,8}$/.test(value) ? use(Number(value)) : `'${value}' is not a number above 0`;
}

const MIB: Readonly<Record<string, number>> = { k: 1 / 1024, m: 1, g: 1024, t: 1_048_576 };

/** Megabytes unless a unit says otherwise; Slurm counts whole MiB, rounded up. */
function memory(value: string, use: (mib: number) => Partial<JobSpecInput>): Partial<JobSpecInput> | string {
  const match = /^(\d{1,12})(?:([kmgt])b?)?$/i.exec(value);
  if (!match) return `'${value}' is not an amount of memory`;
  const mib = Math.ceil(Number(match[1]) * MIB[(match[2] ?? 'm').toLowerCase()]!);
  return mib > 0 ? use(mib) : 'all memory of a node cannot be planned with; name an amount';
}

function gres(value: string): Partial<JobSpecInput> | string {
  if (value === 'none') return {};
  const others = value.split(',').filter((entry) => !/^(gres[:/])?gpu(:|$)/.test(entry));
  if (others.length > 0) return `only gpu can be asked for here, not '${others[0]}'`;
  return value.includes(',')
    ? 'several kinds of GPU in one job'
    : gpusPerNode(value.replace(/^(gres[:/])?gpu:?/, '') || '1');
}

function gpusPerNode(value: string): Partial<JobSpecInput> | string {
  const parsed = gpuCount(value);
  return parsed ?? `'${value}' is not a number of GPUs`;
}

/** The total over all nodes, which the spec says per node. */
function gpus(value: string, all: ReadonlyMap<string, string>): Partial<JobSpecInput> | string {
  const parsed = gpuCount(value);
  if (parsed === null) return `'${value}' is not a number of GPUs`;
  const { gpusPerNode, ...type } = parsed.resources;
  const one = !all.has('nodes') && Number(all.get('ntasks') ?? 1) === 1;
  const count = one ? 1 : Number(/^(\d+)(?:-\1)?$/.exec(all.get('nodes') ?? '')?.[1] ?? Number.NaN);
  if (gpusPerNode % count !== 0) return 'a total that does not say how many for each node; use --gpus-per-node';
  return { resources: { gpusPerNode: gpusPerNode / count, ...type } };
}

/** `2`, `a100:2` or `a100`. */
function gpuCount(value: string): { resources: { gpusPerNode: number; gpuType?: string } } | null {
  const match = /^(?:([A-Za-z][^:,]*)(?::|$))?(\d{1,4})?$/.exec(value);
  if (!match || value === '') return null;
  const gpusPerNode = Number(match[2] ?? 1);
  return { resources: match[1] === undefined ? { gpusPerNode } : { gpusPerNode, gpuType: match[1] } };
}

function array(value: string): Partial<JobSpecInput> | string {
  const match = /^\[?([0-9,:-]+)\]?(?:%(\d{1,7}))?$/.exec(value);
  if (!match) return `'${value}' is not a set of indexes`;
  const maxRunning = Number(match[2] ?? 0);
  return { array: { tasks: match[1]!, ...(maxRunning > 0 ? { maxRunning } : {}) } };
}

const SIGNALS: Readonly<Record<string, string>> = {
  1: 'HUP',
  2: 'INT',
  10: 'USR1',
  12: 'USR2',
  15: 'TERM',
  18: 'CONT',
};
type Signal = NonNullable<JobSpecInput['signal']>;

function signal(value: string): Partial<JobSpecInput> | string {
  const match = /^(?:([RB]+):)?(?:SIG)?(\w+)(?:@(\d{1,5}))?$/.exec(value);
  if (!match) return `'${value}' is not a signal and a time`;
  if (match[1]?.includes('R')) return 'overlapping a reservation (R:) cannot be promised on every cluster';
  const name = SIGNALS[match[2]!] ?? match[2]!;
  if (!Object.values(SIGNALS).includes(name))
    return `only ${Object.values(SIGNALS).join(', ')} can be sent, not '${match[2]}'`;
  const beforeEndSeconds = Number(match[3] ?? 60);
  return { signal: { name: name as Signal['name'], beforeEndSeconds, batchOnly: match[1] === 'B' } };
}

function moment(
  value: string,
  nowMs: number | null,
  use: (ms: number) => Partial<JobSpecInput>,
): Partial<JobSpecInput> | string {
  const ms = parseSlurmMoment(value, nowMs);
  return ms === null
    ? `'${value}' means another moment on every cluster; write YYYY-MM-DDTHH:MM:SS (UTC) or now+<count><unit>`
    : use(ms);
}

/** Slurm drops a job that cannot end by its deadline; with a time limit that is a last moment to start. */
function deadline(
  value: string,
  all: ReadonlyMap<string, string>,
  nowMs: number | null,
): Partial<JobSpecInput> | string {
  const limitSeconds = parseSlurmTime(all.get('time') ?? '0') ?? 0;
  return moment(value, nowMs, (ms) => ({ startDeadline: iso(ms - limitSeconds * 1000) }));
}

const WHEN: Readonly<Record<string, NonNullable<NonNullable<JobSpecInput['dependsOn']>[number]['when']>>> = {
  afterok: 'succeeded',
  afternotok: 'failed',
  afterany: 'ended',
  after: 'started',
};

/** `afterok:20:21,afterany:23`; the numbers are ours, as `yard ps` shows them. A bare number is `afterany`. */
function dependency(value: string): Partial<JobSpecInput> | string {
  if (value.includes('?')) return "one of several dependencies ('?') cannot be waited for";
  const dependsOn: NonNullable<JobSpecInput['dependsOn']> = [];
  for (const part of value.split(',')) {
    const [type, ...jobs] = /^\d/.test(part) ? ['afterany', ...part.split(':')] : part.split(':');
    const when = Object.hasOwn(WHEN, type!) ? WHEN[type!]! : null;
    if (when === null)
      return `the dependency '${type}' cannot be waited for; known are ${Object.keys(WHEN).join(', ')}`;
    const bad = jobs.find((job) => !/^[1-9]\d{0,14}$/.test(job));
    if (bad !== undefined || jobs.length === 0) return `'${bad ?? part}' is not the number of a job`;
    dependsOn.push(...jobs.map((job) => ({ job: Number(job), when })));
  }
  return { dependsOn };
}

/** One feature or all of several; what chooses between nodes only Slurm itself understands. */
function constraint(value: string): Partial<JobSpecInput> | string {
  const features = value.split('&');
  return features.every((feature) => /^[\w.:=+-]+$/.test(feature))
    ? { constraints: { features } }
    : `'${value}' is more than a list of features joined with '&'`;
}

/** sbatch's own default, ALL, is the submitter's environment; a single variable of it cannot be fetched afterwards. */
function environment(value: string): Partial<JobSpecInput> | string {
  if (value === 'NONE' || value === 'NIL') return { environment: 'clean' };
  const [all, list] = value
    .split(',')
    .reduce<[boolean, string[]]>(
      ([any, rest], each) => (each === 'ALL' ? [true, rest] : [any, [...rest, each]]),
      [false, []],
    );
  const bare = list.find((each) => !/^[A-Za-z_]\w*=/.test(each));
  if (bare !== undefined) return `the value of '${bare}' is not known here; write ${bare}=value, or put it under env`;
  const env = Object.fromEntries(
    list.map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]),
  );
  return { environment: all ? 'submit' : 'clean', env };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** Why well-known options are refused; every other option that is neither translated nor passed on gets a common sentence. */
export const REFUSED: Readonly<Record<string, string>> = {
  comment: 'the comment carries the marker by which the job is found again; use labels',
  priority: "the cluster's priority belongs to its administrators; use priority of the spec",
  'cluster-constraint': "it chooses between clusters of Slurm's own federation; use constraints of the spec",
  'export-file': 'the file is not here; put the variables under env',
  'get-user-env': 'the environment is made here; use environment and env',
  wait: 'submit with --wait instead',
  wrap: 'the script is what is submitted',
  uid: 'jobs run as the one who submits them',
  gid: 'jobs run as the one who submits them',
  'time-min': 'a limit that the cluster may lower cannot be planned with; name one with --time',
};
