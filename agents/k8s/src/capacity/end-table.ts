/** What becomes free at one time. */
export type FreedAt = {
  readonly atSecond: number;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly gpus: number;
};

type Freed = { pods: number; cpuMilli: number; memoryBytes: number; gpus: number };
type Size = Readonly<Omit<Freed, 'pods'>>;

/** When pods end at the latest, in one sum per time, kept apart by the pools that their nodes are open for. */
export class EndTable {
  readonly #byPools = new Map<string, Map<number, Freed>>();

  /** `pools` in a form of its own: equal texts are the same pools. */
  count(pools: string, atSecond: number, size: Size, sign: 1 | -1): void {
    const times = this.#byPools.get(pools) ?? new Map<number, Freed>();
    const freed = times.get(atSecond) ?? { pods: 0, cpuMilli: 0, memoryBytes: 0, gpus: 0 };
    freed.pods += sign;
    freed.cpuMilli += sign * size.cpuMilli;
    freed.memoryBytes += sign * size.memoryBytes;
    freed.gpus += sign * size.gpus;
    if (freed.pods === 0) times.delete(atSecond);
    else times.set(atSecond, freed);
    if (times.size === 0) this.#byPools.delete(pools);
    else this.#byPools.set(pools, times);
  }

  clear(): void {
    this.#byPools.clear();
  }

  list(): { pools: string; ends: FreedAt[] }[] {
    return [...this.#byPools].map(([pools, times]) => ({
      pools,
      ends: [...times].map(([atSecond, { cpuMilli, memoryBytes, gpus }]) => ({
        atSecond,
        cpuMilli,
        memoryBytes,
        gpus,
      })),
    }));
  }
}
