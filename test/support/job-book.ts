import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { count, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { expect } from 'vitest';
import { type Api, ENDED, type JobView } from './api.ts';
import type { Ledger } from './ledger.ts';
import { until } from './until.ts';

/** How a job must end. */
export type Ending = {
  readonly state: 'succeeded' | 'failed' | 'cancelled';
  readonly reason?: string;
  /** How many payloads of it start, each once; all of them, unless something else is said. */
  readonly starts?: number;
};

type Waiting = { timeoutMs?: number; everyMs?: number; describe?: () => unknown };

/** What was submitted and how each job must end, held against the broker's record and against what the payloads say themselves. */
export class JobBook {
  readonly #api: Api;
  readonly #ledger: Ledger;
  readonly #endings = new Map<number, Required<Pick<Ending, 'starts'>> & Ending>();

  constructor(api: Api, ledger: Ledger) {
    this.#api = api;
    this.#ledger = ledger;
  }

  async submit(howMany: number, job: JobSpecInput, ending: Ending): Promise<number[]> {
    const jobs = await this.#api.submitMany(Array.from({ length: howMany }, () => job));
    for (const { number } of jobs) this.#endings.set(number, { starts: payloadsOf(job), ...ending });
    return jobs.map(({ number }) => number);
  }

  async open(): Promise<JobView[]> {
    return (await this.#api.jobs()).filter(({ state }) => !ENDED.has(state));
  }

  /** Waits until these have ended. */
  async ended(numbers: readonly number[], waiting: Waiting): Promise<void> {
    const all = () => Promise.all(numbers.map((number) => this.#api.job(number)));
    const haveEnded = async () => (await all()).every(({ state }) => ENDED.has(state));
    await until(`jobs ${numbers.join(', ')} end`, haveEnded, waiting);
  }

  /** No job is lost, each ended as it must, no payload started twice, and none of a job that did not succeed came to its end. */
  async check(): Promise<void> {
    const jobs = await this.#api.jobs();
    expect(new Set(jobs.map(({ number }) => number))).toEqual(new Set(this.#endings.keys()));
    const wrong = jobs.filter(({ number, state, reason: why }) => {
      const must = this.#endings.get(number)!;
      return state !== must.state || (must.reason !== undefined && why !== must.reason);
    });
    expect(wrong.map(({ number, state, reason, detail }) => ({ number, state, reason, detail }))).toEqual([]);
    expect(this.#ledger.startedTwice()).toEqual([]);
    const lines = Map.groupBy(this.#ledger.lines(), ({ number }) => number);
    for (const [number, { state, starts }] of this.#endings) {
      const said = (word: string) => lines.get(number)?.filter((line) => line.word === word).length ?? 0;
      expect({ number, starts: said('start'), ends: said('end') }).toEqual({
        ...{ number, starts },
        ends: state === 'succeeded' ? starts : 0,
      });
    }
  }
}

function payloadsOf({ resources, array }: JobSpecInput): number {
  return array === undefined ? (resources?.nodes ?? 1) : count(rangeSet(array.tasks));
}
