import { KeptSink } from '../capacity/kept-sink.ts';
import type { Workload } from './kueue-types.ts';
import { workloadDemand } from './workload-demand.ts';
import { comesBefore, type WorkloadFacts, workloadFacts } from './workload-facts.ts';

/** What the waiting Workloads of one LocalQueue ask for, everybody's. */
export type QueueDemand = { readonly waiting: number; readonly cpuMilli: number; readonly cpuMilliSeconds: number };

const NO_DEMAND: QueueDemand = { waiting: 0, cpuMilli: 0, cpuMilliSeconds: 0 };

/** Places further back change too often to be told one by one. */
const PLACES_TOLD = 10;

type Kept = {
  readonly uid: string;
  /** `namespace/queue`. */
  readonly queue: string;
  readonly waits: boolean;
  readonly priority: number;
  readonly queuedSinceMs: number;
  readonly cpuMilli: number;
  readonly cpuMilliSeconds: number;
  /** Of our own Jobs only; a Workload of others is these few numbers. */
  readonly facts: WorkloadFacts | null;
};

/**
 * The Workloads of a namespace, kept up to date by an informer. Kueue copies no labels of a Job to its Workload, so all of them come
 * by, those of others too: they are needed for the place in the queue and for the demand ahead.
 */
export class WorkloadStore extends KeptSink<Workload, Kept> {
  readonly #ours = new Map<string, WorkloadFacts>();
  readonly #demand = new Map<string, QueueDemand>();
  readonly #lines = new Map<string, Map<string, Kept>>();
  readonly #places = new Map<string, ReadonlyMap<string, number>>();
  readonly #changed: (jobUid: string) => void;

  /**
   * @param settings.isOurs by the Job's name; whether it really is, its UID says when it is asked for
   * @param settings.changed the Workload of this Job came, changed or went, or has another place in its queue
   */
  constructor(settings: {
    readonly gpuResource: string;
    readonly isOurs: (jobName: string) => boolean;
    readonly changed: (jobUid: string) => void;
  }) {
    super({
      keep: (workload) => kept(workload, settings),
      come: (one) => {
        this.#count(one, 1);
        if (one.facts?.owner) this.#ours.set(one.facts.owner.uid, one.facts);
        this.#tell(one);
      },
      gone: (one) => {
        this.#count(one, -1);
        const owner = one.facts?.owner?.uid;
        if (owner === undefined || this.#ours.get(owner) !== one.facts) return;
        this.#ours.delete(owner);
        this.#tell(one);
      },
    });
    this.#changed = settings.changed;
  }

  /** Of the Job with this very UID. */
  ofJob(jobUid: string): WorkloadFacts | null {
    return this.#ours.get(jobUid) ?? null;
  }

  /** 1 for the first of its LocalQueue; null when it does not wait, or waits further back than is worth telling. */
  placeOf({ namespace, queue, uid }: Pick<WorkloadFacts, 'namespace' | 'queue' | 'uid'>): number | null {
    const line = `${namespace}/${queue}`;
    const places = this.#places.get(line) ?? firstPlaces(this.#lines.get(line)?.values() ?? []);
    this.#places.set(line, places);
    const place = places.get(uid) ?? null;
    return place !== null && place <= PLACES_TOLD ? place : null;
  }

  demandOf(namespace: string, queue: string): QueueDemand {
    return this.#demand.get(`${namespace}/${queue}`) ?? NO_DEMAND;
  }

  #count(one: Kept, sign: 1 | -1): void {
    if (!one.waits) return;
    const { waiting, cpuMilli, cpuMilliSeconds } = this.#demand.get(one.queue) ?? NO_DEMAND;
    this.#demand.set(one.queue, {
      waiting: waiting + sign,
      cpuMilli: cpuMilli + sign * one.cpuMilli,
      cpuMilliSeconds: cpuMilliSeconds + sign * one.cpuMilliSeconds,
    });
    if (waiting + sign === 0) this.#demand.delete(one.queue);
    const line = this.#lines.get(one.queue) ?? new Map<string, Kept>();
    // At a change the new record comes before the old one goes.
    if (sign === 1) line.set(one.uid, one);
    else if (line.get(one.uid) === one) line.delete(one.uid);
    if (line.size > 0) this.#lines.set(one.queue, line);
    else this.#lines.delete(one.queue);
    const placed = this.#places.get(one.queue);
    this.#places.delete(one.queue);
    for (const uid of placed?.keys() ?? []) {
      const other = line.get(uid);
      if (other && other.uid !== one.uid) this.#tell(other);
    }
  }

  #tell({ facts }: Kept): void {
    if (facts?.owner) this.#changed(facts.owner.uid);
  }
}

function kept(
  workload: Workload,
  settings: { gpuResource: string; isOurs: (jobName: string) => boolean },
): Kept | null {
  const facts = workloadFacts(workload);
  if (!facts) return null;
  const { cpuMilli, limitSeconds } = workloadDemand(workload, settings.gpuResource);
  return {
    uid: facts.uid,
    queue: `${facts.namespace}/${facts.queue}`,
    waits: facts.active && !facts.quotaReserved && !facts.finished && !facts.deleting,
    priority: facts.priority,
    queuedSinceMs: facts.queuedSinceMs,
    cpuMilli,
    cpuMilliSeconds: cpuMilli * limitSeconds,
    facts: facts.owner && settings.isOurs(facts.owner.name) ? facts : null,
  };
}

/** The first few and the next one, which may become one of them, without sorting all: a long line changes with every job. */
function firstPlaces(line: Iterable<Kept>): ReadonlyMap<string, number> {
  const first: Kept[] = [];
  for (const one of line) {
    if (first.length > PLACES_TOLD && comesBefore(one, first[PLACES_TOLD]!) > 0) continue;
    const at = first.findIndex((other) => comesBefore(one, other) < 0);
    first.splice(at < 0 ? first.length : at, 0, one);
    first.length = Math.min(first.length, PLACES_TOLD + 1);
  }
  return new Map(first.map(({ uid }, index) => [uid, index + 1]));
}
