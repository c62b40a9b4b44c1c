import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Backend, RunOrder, RunStatus, StrayJob } from '@switchyard/agent-runtime/backend.ts';
import { endedTasks } from '@switchyard/core/lifecycle/ended-tasks.ts';
import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { equal, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { makeOrder } from '../behaviour/make-order.ts';
import { until } from './until.ts';

/** What a real cluster gives to its runs. */
export type RunsBed = {
  /** Of this test alone; payloads see it under the same path. */
  readonly folder: string;
  /** What every job asks for unless it says otherwise. */
  readonly spec?: Partial<JobSpecInput>;
  /** Whose runs they are; without it those of the federation that every test is in. */
  readonly federation?: string | undefined;
  /** An agent's backend; every later one has the state directory of the one before. */
  open(): Promise<Backend>;
  /** What the cluster itself shows of a run: for a wait that was in vain. */
  show(order: RunOrder): Promise<string>;
};

/** An agent's backend on a real cluster with what a broker link does: observe again and again, keep the newest statuses. */
export class BackendRuns {
  readonly folder: string;
  /** One line for each start of a payload: what the payloads themselves say. */
  readonly ledger: string;
  strays: readonly StrayJob[] = [];
  problems: string[] = [];
  readonly #bed: RunsBed;
  readonly #statuses = new Map<string, RunStatus>();
  #backend: Backend | null = null;
  #watching = false;
  #watcher: Promise<void> = Promise.resolve();

  constructor(bed: RunsBed) {
    this.#bed = bed;
    this.folder = bed.folder;
    this.ledger = join(bed.folder, 'ledger');
  }

  get backend(): Backend {
    return this.#backend!;
  }

  /** A new agent on the same state directory: nothing of the old one's memory is left. */
  async restart(): Promise<void> {
    await this.#stop();
    this.#backend = await this.#bed.open();
    this.#backend.onNews(() => this.#watching && void this.look().catch(() => {}));
    this.resume();
  }

  /** Stops looking, as an agent that is away. */
  async pause(): Promise<void> {
    this.#watching = false;
    await this.#watcher;
  }

  resume(): void {
    this.#watching = true;
    this.#watcher = this.#watch();
  }

  async look(): Promise<void> {
    const { changed, strays } = await this.backend.observe();
    for (const status of changed) this.#statuses.set(status.runId, status);
    this.strays = strays;
  }

  /** A job whose script says in the ledger that it starts, then does what the test wants. */
  order(body: string, spec: Partial<JobSpecInput> = {}, changes: Partial<RunOrder> = {}): RunOrder {
    const script = `#!/bin/sh\necho "$YARD_RUN_ID $YARD_TASK_INDEX" >>${this.ledger}\n${body}\n`;
    const { federation } = this.#bed;
    return makeOrder({ script, ...this.#bed.spec, ...spec }, { ...(federation && { federation }), ...changes });
  }

  async submit(body: string, spec: Partial<JobSpecInput> = {}, changes: Partial<RunOrder> = {}): Promise<RunOrder> {
    const order = this.order(body, spec, changes);
    await this.offer(order);
    return order;
  }

  async offer(order: RunOrder): Promise<RunStatus> {
    const status = await this.backend.submit(order, { observedBefore: false });
    if (!this.#statuses.has(order.runId)) this.#statuses.set(order.runId, status);
    return status;
  }

  status(order: RunOrder): RunStatus {
    return this.#statuses.get(order.runId)!;
  }

  async until(
    order: RunOrder,
    what: string,
    is: (status: RunStatus) => boolean,
    timeoutMs = 60_000,
  ): Promise<RunStatus> {
    const describe = () => this.#about(order);
    return until(what, () => is(this.status(order)) && this.status(order), { timeoutMs, describe });
  }

  started(order: RunOrder): Promise<RunStatus> {
    const isKnown = ({ started }: RunStatus) => started !== '' && this.starts(order) > 0;
    return this.until(order, 'its payload says that it started, and this is known', isKnown);
  }

  /** The one end of all tasks of a run. */
  async ended(order: RunOrder, timeoutMs = 60_000): Promise<TaskEnd> {
    const [end, ...others] = await this.ends(order, timeoutMs);
    if (others.length > 0) throw new Error(`more than one end: ${JSON.stringify([end, ...others])}`);
    return end!;
  }

  async ends(order: RunOrder, timeoutMs = 60_000): Promise<readonly TaskEnd[]> {
    const isEnded = ({ ends }: RunStatus) => equal(endedTasks(ends), rangeSet(order.tasks));
    return (await this.until(order, 'the run has ended', isEnded, timeoutMs)).ends;
  }

  /** How often payloads of this run have started. */
  starts(order: RunOrder): number {
    return this.startedTasks(order).length;
  }

  /** The tasks of this run in the order in which they started, each once for each start. */
  startedTasks(order: RunOrder): string[] {
    return this.allStarts().flatMap(([runId, task]) => (runId === order.runId ? [task!] : []));
  }

  allStarts(): string[][] {
    try {
      const lines = readFileSync(this.ledger, 'utf8').split('\n');
      return lines.filter((line) => line !== '').map((line) => line.split(' '));
    } catch {
      return [];
    }
  }

  async close(): Promise<void> {
    await this.#stop();
  }

  async #stop(): Promise<void> {
    await this.pause();
    await this.#backend?.close();
  }

  async #watch(): Promise<void> {
    while (this.#watching) {
      await this.look().catch((error: unknown) => this.problems.push(String(error)));
      await delay(100);
    }
  }

  async #about(order: RunOrder): Promise<unknown> {
    const shown = await this.#bed.show(order);
    return { status: this.status(order), starts: this.startedTasks(order), shown, problems: this.problems.slice(-3) };
  }
}
