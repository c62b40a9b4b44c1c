import type { QuotaFacts, QuotaRoom } from './quota-facts.ts';

export type QuotaLimits = {
  /** What may ever be used. */
  readonly hard: QuotaRoom;
  readonly left: QuotaRoom;
  /** What one pod may ever ask for, and what it may ask for now. */
  readonly largest: QuotaRoom;
  readonly largestLeft: QuotaRoom;
  readonly notes: readonly string[];
};

/**
 * In one namespace every quota binds. Jobs go to the namespace of their group, which a report does not tell apart: so much is
 * left as all namespaces have together, and one pod may be as large as the most generous one lets it.
 */
export function quotaLimits(quotas: readonly QuotaFacts[], namespaces: readonly string[]): QuotaLimits {
  const own = quotas.filter(({ namespace }) => namespaces.includes(namespace)).sort(byName);
  const counting = own.filter(({ besides }) => besides === null);
  const bounds = (of: 'hard' | 'left') =>
    namespaces.map((name) =>
      fold(
        counting.filter(({ namespace }) => namespace === name).map((each) => each[of]),
        Math.min,
      ),
    );
  const [hard, left] = [bounds('hard'), bounds('left')];
  return {
    hard: fold(hard, plus),
    left: fold(left, plus),
    largest: fold(hard, Math.max),
    largestLeft: fold(left, Math.max),
    notes: own.map(note),
  };
}

const UNLIMITED: QuotaRoom = {
  cpus: Number.POSITIVE_INFINITY,
  memoryMiB: Number.POSITIVE_INFINITY,
  gpus: Number.POSITIVE_INFINITY,
  pods: Number.POSITIVE_INFINITY,
  jobs: Number.POSITIVE_INFINITY,
};

function fold(rooms: readonly QuotaRoom[], merge: (left: number, right: number) => number): QuotaRoom {
  const [first = UNLIMITED, ...rest] = rooms;
  return rest.reduce(
    (one, other) => ({
      cpus: merge(one.cpus, other.cpus),
      memoryMiB: merge(one.memoryMiB, other.memoryMiB),
      gpus: merge(one.gpus, other.gpus),
      pods: merge(one.pods, other.pods),
      jobs: merge(one.jobs, other.jobs),
    }),
    first,
  );
}

function plus(left: number, right: number): number {
  return left + right;
}

function byName(left: QuotaFacts, right: QuotaFacts): number {
  return left.namespace < right.namespace ? -1 : left.namespace > right.namespace ? 1 : left.name < right.name ? -1 : 1;
}

function note({ namespace, name, besides }: QuotaFacts): string {
  const which = `the quota '${name}' of namespace '${namespace}'`;
  return besides === null ? `${which} limits these sizes` : `${which} is not counted: it is about ${besides}`;
}
