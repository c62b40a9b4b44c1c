import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import { NATIVE_KUBERNETES_OPTIONS } from '@switchyard/core/spec/native-options.ts';

/** `native.kubernetes` of a job, read. */
export type KubernetesOptions = {
  /** LocalQueues, and classes of nodes, of which any will do; empty: the job names none. */
  readonly queues: readonly string[];
  readonly pools: readonly string[];
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly priorityClassName: string | null;
  readonly kueuePriorityClassName: string | null;
  readonly serviceAccountName: string | null;
  readonly ephemeralStorageMiB: number | null;
  readonly shmSizeMiB: number | null;
};

type Native = NonNullable<JobSpec['native']['kubernetes']>;
type Value = Native[string];

/** The options of a job, or the first that cannot be honoured, by name. */
export function readNativeOptions(native: Native = {}): { options: KubernetesOptions } | { problem: string } {
  for (const [name, value] of Object.entries(native)) {
    const problem = problemOf(name, value);
    if (problem !== null) return { problem: `native.kubernetes.${name} ${problem}` };
  }
  return {
    options: {
      queues: names(native['queue']),
      pools: names(native['pool']),
      nodeSelector: typeof native['nodeSelector'] === 'object' ? native['nodeSelector'] : {},
      priorityClassName: text(native['priorityClassName']),
      kueuePriorityClassName: text(native['kueuePriorityClassName']),
      serviceAccountName: text(native['serviceAccountName']),
      ephemeralStorageMiB: size(native['ephemeralStorageMiB']),
      shmSizeMiB: size(native['shmSizeMiB']),
    },
  };
}

function problemOf(name: string, value: Value): string | null {
  const kind = Object.hasOwn(NATIVE_KUBERNETES_OPTIONS, name) ? NATIVE_KUBERNETES_OPTIONS[name] : null;
  if (kind === null) return 'is not an option that is passed on to Kubernetes';
  if (kind === 'map') return typeof value === 'object' ? null : 'takes names and values';
  if (kind === 'text') return typeof value === 'string' ? null : 'takes one text';
  return size(value) === null ? 'takes a whole number of at least 1' : null;
}

/** Numbers may come as text, from a command line. */
function size(value: Value | undefined): number | null {
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 1e9 ? number : null;
}

function text(value: Value | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

/** As placement reads them: separated by commas or spaces. */
function names(value: Value | undefined): string[] {
  return typeof value === 'string' ? value.split(/[, ]+/).filter((name) => name !== '') : [];
}
