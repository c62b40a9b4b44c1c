import { SwitchyardError } from './errors.ts';

export type AcceptQueue<Job, Accepted> = {
  /** Resolves after the commit of the transaction that holds all these jobs; they are accepted together or not at all. */
  accept(jobs: readonly Job[]): Promise<Accepted[]>;
  /** Jobs that wait for their transaction. */
  waiting(): number;
  /** Takes no more and resolves when everything taken has been answered. */
  close(): Promise<void>;
};

type Unit<Job, Accepted> = {
  jobs: readonly Job[];
  resolve: (accepted: Accepted[]) => void;
  reject: (error: unknown) => void;
};

/**
 * Many requests, one transaction: the first goes at once, and whatever arrives while it commits makes the next one. So an idle
 * broker adds no wait, and a busy one pays one commit for hundreds of jobs.
 *
 * `flush` stores all jobs in one transaction and answers in their order; an Error in the place of an answer fails that unit alone.
 */
export function createAcceptQueue<Job, Accepted>(options: {
  flush: (jobs: Job[]) => Promise<(Accepted | Error)[]>;
  /** Jobs in one transaction; a larger unit goes alone. */
  maxBatch?: number;
  /** Jobs that may wait; beyond it a request is told to come back. */
  maxWaiting?: number;
  onFlush?: (jobs: number, seconds: number) => void;
}): AcceptQueue<Job, Accepted> {
  const { flush, maxBatch = 500, maxWaiting = 20_000, onFlush } = options;
  const units: Unit<Job, Accepted>[] = [];
  let waiting = 0;
  let running: Promise<void> | null = null;
  let closed = false;

  function accept(jobs: readonly Job[]): Promise<Accepted[]> {
    if (closed) return Promise.reject(new SwitchyardError('unavailable', 'The broker is stopping.'));
    if (waiting + jobs.length > maxWaiting)
      return Promise.reject(
        new SwitchyardError('too_many_requests', `${waiting} jobs are waiting to be stored already.`, {
          hint: 'Send the request again after the time in Retry-After.',
        }),
      );
    waiting += jobs.length;
    return new Promise((resolve, reject) => {
      units.push({ jobs, resolve, reject });
      // One turn of the event loop lets requests that arrived together share the first transaction.
      running ??= new Promise(setImmediate).then(drain);
    });
  }

  async function drain(): Promise<void> {
    while (units.length > 0) await flushUnits(takeBatch());
    running = null;
  }

  function takeBatch(): Unit<Job, Accepted>[] {
    let size = units[0]!.jobs.length;
    let count = 1;
    while (count < units.length && size + units[count]!.jobs.length <= maxBatch) size += units[count++]!.jobs.length;
    waiting -= size;
    return units.splice(0, count);
  }

  async function flushUnits(batch: Unit<Job, Accepted>[]): Promise<void> {
    const jobs = batch.flatMap((unit) => unit.jobs);
    const started = performance.now();
    try {
      const answers = await flush(jobs);
      onFlush?.(jobs.length, (performance.now() - started) / 1000);
      let at = 0;
      for (const unit of batch) {
        settle(unit, answers.slice(at, at + unit.jobs.length));
        at += unit.jobs.length;
      }
    } catch (error) {
      // A rolled-back transaction stored nothing, so each unit may try alone: one bad job never takes the others with it.
      // After `unavailable` nobody knows whether the commit happened, and trying again could store jobs twice.
      const certain = error instanceof SwitchyardError && !error.retryable;
      if (batch.length === 1 || !certain) for (const unit of batch) unit.reject(error);
      else for (const unit of batch) await flushUnits([unit]);
    }
  }

  function settle(unit: Unit<Job, Accepted>, answers: (Accepted | Error)[]): void {
    const failed = answers.find((answer) => answer instanceof Error);
    if (failed) unit.reject(failed);
    else unit.resolve(answers as Accepted[]);
  }

  return {
    accept,
    waiting: () => waiting,
    close: async () => {
      closed = true;
      await running;
    },
  };
}
