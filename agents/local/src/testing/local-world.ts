import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RunOrder } from '@switchyard/agent-runtime/backend.ts';
import type { NativeJob, NativeQueue } from '@switchyard/agent-runtime/native-queue.ts';
import { wrapperJob } from '@switchyard/agent-runtime/wrapper-job.ts';
import { type JobSpecInput, jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import type { LocalConfigInput } from '../config.ts';
import { localQueue } from '../local-queue.ts';
import { readProcess } from '../processes.ts';

type Submitted = { readonly order: RunOrder; readonly nativeId: string };

/** A queue in a folder of its own, with the wrapper and claim directories that the runtime would make. */
export class LocalWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'yard-queue-'));
  readonly #config: LocalConfigInput;
  queue: NativeQueue;

  constructor(config: LocalConfigInput = { cpus: 4, memoryMiB: 4000 }) {
    this.#config = config;
    this.queue = this.#open(config);
  }

  /** A new queue on the same folder; the old one is left as a killed agent leaves it. */
  async restart(config = this.#config): Promise<void> {
    await this.queue.close();
    this.queue = this.#open(config);
  }

  #open(config: LocalConfigInput): NativeQueue {
    return localQueue(join(this.dir, 'state'), config);
  }

  order(lines: string, spec: Partial<JobSpecInput> = {}): RunOrder {
    const runId = randomUUID();
    return {
      ...{ runId, placementNumber: 1, jobId: randomUUID(), jobNumber: 1, attempt: 1 },
      tasks: spec.array?.tasks ?? '0',
      spec: jobSpecSchema.parse({ script: `#!/bin/sh\n${lines}\n`, stdout: `${runId}-%a.out`, ...spec }),
      ...{ specHash: '', pool: '', groupPath: 'default', owner: 'ada' },
      marker: markerOf('test', runId),
    };
  }

  answer(order: RunOrder) {
    const claimDirectory = join(this.dir, 'runs', order.runId);
    mkdirSync(claimDirectory, { recursive: true });
    const place = { cluster: 'here', defaultWorkdir: this.dir, claimDirectory };
    return this.queue.submit(order, wrapperJob(order, place));
  }

  async submit(lines: string, spec: Partial<JobSpecInput> = {}): Promise<Submitted> {
    const order = this.order(lines, spec);
    const answer = await this.answer(order);
    if (answer.kind !== 'submitted') throw new Error(JSON.stringify(answer));
    return { order, nativeId: answer.nativeId };
  }

  async lines({ order }: Pick<Submitted, 'order'>): Promise<NativeJob[]> {
    return (await this.queue.list()).filter(({ marker }) => marker === order.marker);
  }

  running = (job: Submitted) => this.until('it runs', job, (lines) => lines.find(({ phase }) => phase === 'running'));

  /** The line of a job that has ended. */
  ended = (job: Submitted) =>
    this.until('it has ended', job, (lines) =>
      lines.every(({ phase }) => phase === 'ended') ? lines.at(0) : undefined,
    );

  kill({ order: { marker } }: Submitted, ...nativeIds: string[]): Promise<void> {
    return this.queue.kill(nativeIds.map((nativeId) => ({ nativeId, marker })));
  }

  claim({ order }: Submitted, task = 0): string {
    return this.text(join('runs', order.runId, String(task)));
  }

  output({ order }: Submitted, task = 0): string {
    return this.text(`${order.runId}-${task}.out`);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Empty for a file that is not there yet. */
  text(name: string): string {
    const path = this.path(name);
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  async until<T>(what: string, job: Submitted, ask: (lines: NativeJob[]) => T | undefined): Promise<T> {
    return until(
      `${what}, ${job.nativeId}`,
      async () => ask(await this.lines(job)),
      () => this.lines(job),
    );
  }

  /** Kills what a failed test left, and waits until it is gone. */
  async close(): Promise<void> {
    const open = (await this.queue.list()).filter(({ phase }) => phase !== 'ended');
    await this.queue.kill(open);
    await until(
      'nothing runs',
      async () => (await this.queue.list()).every(({ phase }) => phase === 'ended') || undefined,
    );
    await this.queue.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export function isAlive(pid: string | number): boolean {
  return readProcess(Number(pid)) !== null;
}

export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  last: () => unknown = () => '',
): Promise<T> {
  const end = performance.now() + 20_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`waited too long until ${what}: ${JSON.stringify(await last())}`);
    await delay(20);
  }
}
