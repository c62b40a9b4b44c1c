import { appendFileSync, chmodSync, existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend, RunOrder, RunStatus } from '@switchyard/agent-runtime/backend.ts';
import { endedTasks } from '@switchyard/core/lifecycle/ended-tasks.ts';
import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { equal, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { makeOrder } from '../behaviour/make-order.ts';
import { until } from '../support/until.ts';
import { type AgentOptions, JOBS, type KubeWorld } from './kube-world.ts';

/** An agent's backend on a real cluster with what a broker link does: it observes whenever there is news. */
export class KubeRuns {
  readonly world: KubeWorld;
  /** Every payload that starts writes a line here. */
  readonly ledger: string;
  readonly folder: string;
  readonly #options: AgentOptions;
  readonly #statuses = new Map<string, RunStatus>();
  #backend!: Backend;

  private constructor(world: KubeWorld, options: AgentOptions) {
    this.world = world;
    this.#options = options;
    this.folder = mkdtempSync(join(world.workdir, 'runs-'));
    chmodSync(this.folder, 0o777);
    this.ledger = join(this.folder, 'ledger');
    appendFileSync(this.ledger, '');
    chmodSync(this.ledger, 0o666);
  }

  static async open(world: KubeWorld, options: AgentOptions = {}): Promise<KubeRuns> {
    const runs = new KubeRuns(world, options);
    await runs.restart();
    return runs;
  }

  get backend(): Backend {
    return this.#backend;
  }

  /** A new agent on the same state directory: nothing of the old one's memory is left. */
  async restart(changes: AgentOptions = {}): Promise<void> {
    await this.#backend?.close();
    this.#backend = await this.world.open({ ...this.#options, ...changes });
    this.#backend.onNews(() => void this.look().catch(() => {}));
    await this.look().catch(() => {});
  }

  async look(): Promise<void> {
    const { changed } = await this.#backend.observe();
    for (const status of changed) this.#statuses.set(status.runId, status);
  }

  order(body: string, spec: Partial<JobSpecInput> = {}, changes: Partial<RunOrder> = {}): RunOrder {
    const script = `#!/bin/sh\necho "$YARD_RUN_ID $YARD_TASK_INDEX" >>${this.ledger}\n${body}\n`;
    const { federation = 'test' } = this.#options;
    const input = { script, workdir: this.folder, resources: { walltimeSeconds: 300 }, ...spec };
    return makeOrder(input, { federation, ...changes });
  }

  async submit(body: string, spec: Partial<JobSpecInput> = {}, changes: Partial<RunOrder> = {}): Promise<RunOrder> {
    const order = this.order(body, spec, changes);
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

  async until(
    order: RunOrder,
    what: string,
    is: (status: RunStatus) => boolean,
    timeoutMs = 60_000,
  ): Promise<RunStatus> {
    return until(
      what,
      async () => {
        await this.look().catch(() => {});
        return is(this.status(order)) && this.status(order);
      },
      { timeoutMs, everyMs: 100, describe: () => this.#about(order) },
    );
  }

  started(order: RunOrder): Promise<RunStatus> {
    return this.until(order, 'its start is known', ({ started }) => started !== '');
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
    return readFileSync(this.ledger, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith(order.runId)).length;
  }

  exists(file: string): boolean {
    return existsSync(join(this.folder, file));
  }

  async close(): Promise<void> {
    await this.#backend.close();
  }

  async #about(order: RunOrder): Promise<unknown> {
    const selector = `switchyard.dev/run=${order.runId}`;
    const { stdout } = await this.world.kube.kubectl(['-n', JOBS, 'get', 'jobs,pods', '-o', 'wide', '-l', selector]);
    return { status: this.status(order), starts: this.starts(order), kubectl: stdout };
  }
}
