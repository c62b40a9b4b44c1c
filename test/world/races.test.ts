import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from '../slurm/testbed.ts';
import { ENDED, type JobView } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const slurm = slurmAvailable();
const RACES = 1000;
const WAVE = 100;

/** A withdrawal or a cancellation meets the start of the payload, many times over, on real Slurm. */
describe.skipIf(!slurm.ok)(`races with the start ${slurm.why}`, () => {
  let federation: Federation;
  let clusters: SlurmCluster[];

  beforeAll(async () => {
    clusters = await Promise.all(
      ['left', 'right'].map((name) => startSlurmCluster({ name, nodes: 2, cpusPerNode: 64, memoryMiBPerNode: 64_000 })),
    );
    federation = await startFederation();
    for (const cluster of clusters)
      await federation.addCluster(cluster.name, { kind: 'slurm', slurm: { conf: cluster.conf } });
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    for (const cluster of clusters ?? []) await cluster.stop();
  });

  test(`${RACES} withdrawals racing with the start: every job ran exactly once, on one of the two clusters`, async () => {
    const ledger = new Ledger(join(federation.dir, 'work'), 'withdrawals');
    let won = 0;
    let lost = 0;
    for (let wave = 0; wave < RACES / WAVE; wave += 1) {
      const jobs = await race(ledger, 'sleep 0.2', async (job) => {
        const run = job.runs.find((each) => each.state === 'offered' || each.state === 'placed');
        if (run) await federation.api.call('POST', `/v1/runs/${run.id}/withdraw`);
      });
      for (const job of jobs) {
        expect({ number: job.number, state: job.state }).toEqual({ number: job.number, state: 'succeeded' });
        if (job.runs.some((run) => run.outcome === 'withdrawn')) won += 1;
        else lost += 1;
      }
    }
    expect(ledger.startedTwice()).toEqual([]);
    expect(ledger.starts().size).toBe(RACES);
    // A race that one side always wins is no race; how often each does is up to the machine.
    expect(won).toBeGreaterThan(0);
    expect(lost).toBeGreaterThan(0);
  }, 900_000);

  test(`${RACES} cancellations racing with the start: never both cancelled and run to its end`, async () => {
    const ledger = new Ledger(join(federation.dir, 'work'), 'cancellations');
    const seen = { neverStarted: 0, killed: 0, finished: 0 };
    for (let wave = 0; wave < RACES / WAVE; wave += 1) {
      const jobs = await race(ledger, 'sleep 0.2 || exit 9', async (job) => {
        await federation.api.call('POST', `/v1/jobs/${job.number}/cancel`, {});
      });
      const words = new Map<number, string[]>();
      for (const line of ledger.lines()) words.set(line.number, [...(words.get(line.number) ?? []), line.word]);
      for (const job of jobs) {
        const left = words.get(job.number) ?? [];
        if (job.state === 'succeeded') {
          expect({ number: job.number, left }).toEqual({ number: job.number, left: ['start', 'end'] });
          seen.finished += 1;
        } else {
          expect(job.state).toBe('cancelled');
          // A payload that was killed after its last line has a signal, not an exit of its own.
          if (left.includes('end'))
            expect({ number: job.number, signal: job.signal }).not.toMatchObject({ signal: null });
          if (left.length === 0) seen.neverStarted += 1;
          else seen.killed += 1;
        }
      }
    }
    expect(ledger.startedTwice()).toEqual([]);
    expect(seen.neverStarted).toBeGreaterThan(0);
    expect(seen.killed + seen.finished).toBeGreaterThan(0);
  }, 900_000);

  /** Submits a wave, disturbs every job at its own moment around its start, and waits for all ends. */
  async function race(ledger: Ledger, body: string, disturb: (job: JobView) => Promise<void>): Promise<JobView[]> {
    const spec = { script: ledger.script(body), resources: { walltimeSeconds: 600, memoryMiBPerNode: 10 } };
    const accepted = await federation.api.submitMany(Array.from({ length: WAVE }, () => spec));
    await Promise.all(
      accepted.map(async ({ number }, index) => {
        // Spread over the time in which the wave is placed and starts.
        await delay(index * 25);
        const job = await until(
          `job ${number} has a run`,
          async () => {
            const now = await federation.api.job(number);
            return (now.runs.length > 0 || ENDED.has(now.state)) && now;
          },
          { timeoutMs: 120_000 },
        );
        await disturb(job);
      }),
    );
    const numbers = new Set(accepted.map((job) => job.number));
    const pending = async () =>
      (await federation.api.jobs()).filter((job) => numbers.has(job.number) && !ENDED.has(job.state));
    await until('the wave ends', async () => (await pending()).length === 0, {
      timeoutMs: 180_000,
      everyMs: 250,
      describe: pending,
    });
    return Promise.all([...numbers].map((number) => federation.api.job(number)));
  }
});
