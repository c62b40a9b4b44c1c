import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Backend, RunOrder, RunStatus, StrayJob } from '@switchyard/agent-runtime/backend.ts';
import { claimBackend } from '@switchyard/agent-runtime/claim-backend.ts';
import { slurmQueue } from '@switchyard/agent-slurm/slurm-queue.ts';
import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { count, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { until } from '../support/until.ts';
import { orderOf } from './orders.ts';
import type { SlurmCluster } from './testbed.ts';

export type WorldOptions = {
  readonly graceMs?: number;
  readonly faults?: { readonly lookUp?: boolean; readonly copies?: number };
  /** For commands that go through a proxy. */
  readonly conf?: string;
};

/** An agent's backend on a real cluster with what a broker link does: observe again and again, keep the newest statuses. */
export class BackendWorld {
  readonly cluster: SlurmCluster;
  readonly dir: string;
  /** One line for each start of a payload: what the payloads themselves say. */
  readonly ledger: string;
  readonly #options: WorldOptions;
  readonly #statuses = new Map<string, RunStatus>();
  strays: readonly StrayJob[] = [];
  problems: string[] = [];
  #backend!: Backend;
  #watching = true;
  #watcher: Promise<void> = Promise.resolve();

  private constructor(cluster: SlurmCluster, options: WorldOptions) {
    this.cluster = cluster;
    this.#options = options;
    this.dir = mkdtempSync(join(cluster.dir, 'world-'));
    this.ledger = join(this.dir, 'ledger');
  }

  static async open(cluster: SlurmCluster, options: WorldOptions = {}): Promise<BackendWorld> {
    const world = new BackendWorld(cluster, options);
    await world.restart();
    return world;
  }

  get backend(): Backend {
    return this.#backend;
  }

  /** A new agent on the same state directory, as after a crash: nothing of the old one's memory is left. */
  async restart(): Promise<void> {
    await this.pause();
    const { graceMs = 3000, faults, conf = this.cluster.conf } = this.#options;
    this.#backend = await claimBackend({
      queue: slurmQueue({ conf, submitTimeoutMs: 15_000, queryTimeoutMs: 15_000 }),
      stateDir: join(this.dir, 'state'),
      cluster: this.cluster.name,
      defaultWorkdir: this.dir,
      graceMs,
      ...(faults ? { faults } : {}),
    });
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

  async #watch(): Promise<void> {
    while (this.#watching) {
      try {
        const { changed, strays } = await this.#backend.observe();
        for (const status of changed) this.#statuses.set(status.runId, status);
        this.strays = strays;
      } catch (error) {
        this.problems.push(String(error));
      }
      await delay(100);
    }
  }

  /** A script that says in the ledger that it started, then does what the test wants. */
  script(body: string): string {
    return `#!/bin/sh\necho "$YARD_RUN_ID $YARD_TASK_INDEX" >>${this.ledger}\n${body}\n`;
  }

  async submit(body: string, spec: Partial<JobSpecInput> = {}, more: Partial<RunOrder> = {}): Promise<RunOrder> {
    const order = orderOf({ script: this.script(body), ...spec }, more);
    await this.offer(order);
    return order;
  }

  async offer(order: RunOrder): Promise<RunStatus> {
    const status = await this.#backend.submit(order, { observedBefore: false });
    if (!this.#statuses.has(order.runId)) this.#statuses.set(order.runId, status);
    return status;
  }

  status(order: RunOrder): RunStatus {
    return this.#statuses.get(order.runId)!;
  }

  /** Waits until the cluster shows the run in this native state. */
  async inState(order: RunOrder, state: RegExp): Promise<RunStatus> {
    return until(`run in ${state}`, () => state.test(this.status(order).nativeState) && this.status(order), {
      describe: () => this.#about(order),
    });
  }

  async started(order: RunOrder): Promise<RunStatus> {
    await until('the payload says it started', () => this.starts(order).length > 0, {
      describe: () => this.#about(order),
    });
    return until('its start is known', () => this.status(order).started !== '' && this.status(order), {
      describe: () => this.#about(order),
    });
  }

  /** The one end of all tasks of a run. */
  async ended(order: RunOrder, timeoutMs = 60_000): Promise<TaskEnd> {
    const [end, ...others] = await this.ends(order, timeoutMs);
    if (others.length > 0) throw new Error(`more than one end: ${JSON.stringify([end, ...others])}`);
    return end!;
  }

  async ends(order: RunOrder, timeoutMs = 60_000): Promise<readonly TaskEnd[]> {
    const all = count(rangeSet(order.tasks));
    return until(
      'the run has ended',
      () => {
        const { ends } = this.status(order);
        return ends.reduce((sum, end) => sum + count(rangeSet(end.tasks)), 0) === all && ends;
      },
      { timeoutMs, describe: () => this.#about(order) },
    );
  }

  /** Lines of the ledger for this run: `<task>`, once for each start. */
  starts(order: RunOrder): string[] {
    return this.allStarts().flatMap(([runId, task]) => (runId === order.runId ? [task!] : []));
  }

  allStarts(): string[][] {
    try {
      return readFileSync(this.ledger, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(' '));
    } catch {
      return [];
    }
  }

  output(order: RunOrder): string {
    return readFileSync(this.status(order).stdoutPath, 'utf8');
  }

  async close(): Promise<void> {
    await this.pause();
    await this.#backend.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #about(order: RunOrder) {
    const { stdout } = await this.cluster.run(['squeue', '-a', '-t', 'all', '-o', '%i %T %r %B %k']);
    return {
      status: this.status(order),
      starts: this.starts(order),
      squeue: stdout,
      problems: this.problems.slice(-3),
    };
  }
}
