import type { Amounts, PoolReport } from './capacity-report.ts';
import type { Objection } from './objection.ts';
import type { ResourceRequest } from './resources.ts';
import type { ClusterView } from './snapshot.ts';

/** What a cluster has left while one cycle places jobs on it: the report, less what is under way, less what this cycle placed. */
export class ClusterLedger {
  readonly cluster: ClusterView;
  readonly #all: Account;
  readonly #pools: ReadonlyMap<string, Account>;
  #room: number;
  #submitSlots: number;
  #placedCount: number;

  constructor(cluster: ClusterView) {
    this.cluster = cluster;
    const { report, reportedAtMs, unstarted } = cluster;
    const pools = report?.pools ?? [];
    const fallback = pools.find((pool) => pool.isDefault)?.name ?? '';
    this.#all = new Account(report?.free ?? NOTHING, report?.total ?? NOTHING, waitingCpus(pools));
    this.#pools = new Map(pools.map((pool) => [pool.name, new Account(pool.free, pool.total, pool.waitingCpus)]));
    let recent = 0;
    for (const run of unstarted) {
      const isNew = run.offeredAtMs > (reportedAtMs ?? 0);
      if (isNew) recent += 1;
      for (const account of this.#accounts(run.pool || fallback)) account.take(run, isNew);
    }
    this.#room = cluster.backlog - cluster.waitingTasks;
    this.#submitSlots = (report?.submitSlotsLeft ?? Number.POSITIVE_INFINITY) - recent;
    this.#placedCount = cluster.placedCount;
  }

  /** How many more waiting tasks the cluster may be given. */
  get room(): number {
    return Math.max(0, Math.min(this.#room, this.#submitSlots));
  }

  /** Tasks of ours ever placed here, with those of this cycle. */
  get placedCount(): number {
    return this.#placedCount;
  }

  /** Late binding: beyond its backlog a cluster gets nothing, for the order is global only at the broker. */
  fullObjection(): Objection {
    if (this.#room <= 0)
      return { kind: 'backlog_full', sentence: `it holds its ${this.cluster.backlog} waiting tasks already` };
    return this.#submitSlots <= 0
      ? { kind: 'submit_limit', sentence: 'its user may not submit any more jobs there for now' }
      : null;
  }

  /** How many tasks of this size could start in the pool at once, as far as the report tells. */
  startable(request: ResourceRequest, pool: PoolReport): number {
    const slot = pool.largestFreeSlot;
    if (request.cpusPerNode > slot.cpus || request.memoryMiBPerNode > slot.memoryMiB || request.gpusPerNode > slot.gpus)
      return 0;
    if (request.exclusive && request.nodes > pool.free.nodes) return 0;
    return Math.min(...this.#accounts(pool.name).map((account) => account.fits(request)));
  }

  /** Demand over supply of the pool's scarcest resource after one more task of this size: used, waiting and wanted; 1 is full. */
  load(request: ResourceRequest, pool: PoolReport): number {
    return this.#pools.get(pool.name)?.load(request) ?? Number.POSITIVE_INFINITY;
  }

  /** Books `tasks` tasks of this size. */
  place(request: ResourceRequest, pool: string, tasks: number): void {
    const { cpus, memoryMiB, gpus } = request;
    const sum = { cpus: cpus * tasks, memoryMiB: memoryMiB * tasks, gpus: gpus * tasks };
    for (const account of this.#accounts(pool)) account.take(sum, true);
    this.#room -= tasks;
    this.#submitSlots -= tasks;
    this.#placedCount += tasks;
  }

  /** Pools overlap, so what one takes may be missing in another: the whole cluster is an account too. */
  #accounts(pool: string): Account[] {
    const own = this.#pools.get(pool);
    return own ? [this.#all, own] : [this.#all];
  }
}

type Size = { readonly cpus: number; readonly memoryMiB: number; readonly gpus: number };
const NOTHING: Amounts = { nodes: 0, cpus: 0, memoryMiB: 0, gpus: 0 };

class Account {
  readonly #free: { -readonly [Key in keyof Size]: number };
  readonly #wanted: { -readonly [Key in keyof Size]: number };
  readonly #total: Size;

  constructor(free: Amounts, total: Amounts, waitingCpus: number) {
    this.#free = { cpus: free.cpus, memoryMiB: free.memoryMiB, gpus: free.gpus };
    this.#total = total;
    this.#wanted = {
      cpus: total.cpus - free.cpus + waitingCpus,
      memoryMiB: total.memoryMiB - free.memoryMiB,
      gpus: total.gpus - free.gpus,
    };
  }

  /** What waits in the cluster's own queue since before the report is in its waiting demand already. */
  take(size: Size, isNew: boolean): void {
    for (const key of ['cpus', 'memoryMiB', 'gpus'] as const) {
      this.#free[key] -= size[key];
      if (isNew) this.#wanted[key] += size[key];
    }
  }

  fits(size: Size): number {
    const times = (free: number, each: number) => (each === 0 ? Number.POSITIVE_INFINITY : Math.floor(free / each));
    const { cpus, memoryMiB, gpus } = this.#free;
    return Math.max(0, Math.min(times(cpus, size.cpus), times(memoryMiB, size.memoryMiB), times(gpus, size.gpus)));
  }

  load(size: Size): number {
    const share = (key: keyof Size) =>
      size[key] === 0 ? 0 : (this.#wanted[key] + size[key]) / Math.max(1, this.#total[key]);
    return Math.max(share('cpus'), share('memoryMiB'), share('gpus'));
  }
}

/** Pools overlap: one job may wait in several of them, so the largest says the least that is true. */
function waitingCpus(pools: readonly PoolReport[]): number {
  return pools.reduce((most, pool) => Math.max(most, pool.waitingCpus), 0);
}
