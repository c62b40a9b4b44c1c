import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { count, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from '../slurm/testbed.ts';
import { ENDED } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

const slurm = slurmAvailable();
const NAMES = ['north', 'east', 'south'];

describe.skipIf(!slurm.ok)(`three real Slurm clusters behind one endpoint ${slurm.why}`, () => {
  let federation: Federation;
  let clusters: SlurmCluster[];

  beforeAll(async () => {
    clusters = await Promise.all(
      NAMES.map((name) => startSlurmCluster({ name, nodes: 2, cpusPerNode: 16, memoryMiBPerNode: 16_000 })),
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

  const work = () => join(federation.dir, 'work');
  const ended = (number: number, timeoutMs = 240_000) =>
    until(
      `job ${number} ends`,
      async () => {
        const job = await federation.api.job(number);
        return ENDED.has(job.state) && job;
      },
      { timeoutMs, everyMs: 200, describe: () => federation.api.job(number) },
    );

  test('300 jobs all end correctly, spread over the three, each started once', async () => {
    const ledger = new Ledger(work(), 'three-hundred');
    const specs = Array.from({ length: 300 }, (_, index) => ({
      name: `job-${index}`,
      script: ledger.script(index % 10 === 3 ? '(exit 3)' : ':'),
      resources: { walltimeSeconds: 600, memoryMiBPerNode: 10 },
    }));
    const accepted = await federation.api.submitMany(specs);
    const numbers = new Set(accepted.map((job) => job.number));
    const jobs = await until(
      'all 300 jobs end',
      async () => {
        const all = (await federation.api.jobs()).filter((job) => numbers.has(job.number));
        return all.every((job) => ENDED.has(job.state)) && all;
      },
      {
        timeoutMs: 280_000,
        everyMs: 500,
        describe: async () => (await federation.api.jobs()).filter((job) => !ENDED.has(job.state)).slice(0, 5),
      },
    );

    expect(jobs).toHaveLength(300);
    for (const job of jobs) {
      const failing = Number(job.name.slice(4)) % 10 === 3;
      expect({ name: job.name, state: job.state, exitCode: job.exitCode, reason: job.reason }).toEqual(
        failing
          ? { name: job.name, state: 'failed', exitCode: 3, reason: 'exit_code' }
          : { name: job.name, state: 'succeeded', exitCode: 0, reason: null },
      );
    }
    expect(ledger.startedTwice()).toEqual([]);
    expect(ledger.starts().size).toBe(300);
    expect([...ledger.startsPerCluster().keys()].sort()).toEqual([...NAMES].sort());
    for (const started of ledger.startsPerCluster().values()) expect(started).toBeGreaterThan(30);
  });

  test('an array of 500 with maxRunning 40: one record, never more out, the right failures, the whole array in every task', async () => {
    const ledger = new Ledger(work(), 'array');
    const sizes = join(work(), 'array-sizes.txt');
    const job = await federation.api.submit({
      name: 'array',
      script: ledger.script(
        `echo "$SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX $SLURM_ARRAY_TASK_STEP" >> '${sizes}'\n[ $((SLURM_ARRAY_TASK_ID % 50)) -ne 7 ]`,
      ),
      resources: { walltimeSeconds: 600, memoryMiBPerNode: 10 },
      array: { tasks: '0-499', maxRunning: 40 },
    });
    let mostOut = 0;
    const end = await until(
      'the array ends',
      async () => {
        const now = await federation.api.job(job.number);
        mostOut = Math.max(mostOut, now.tasks.counts['out'] ?? 0);
        return ENDED.has(now.state) && now;
      },
      { timeoutMs: 290_000, everyMs: 50, describe: () => federation.api.job(job.number) },
    );

    expect(end.state).toBe('failed');
    expect(end.tasks.failed).toBe('7-457:50');
    expect(count(rangeSet(end.tasks.succeeded))).toBe(490);
    expect(mostOut).toBeGreaterThan(20);
    expect(mostOut).toBeLessThanOrEqual(40);
    expect(ledger.mostAtOnce()).toBeLessThanOrEqual(40);
    expect(ledger.startedTwice()).toEqual([]);
    expect(ledger.starts().size).toBe(500);
    expect(new Set(readFileSync(sizes, 'utf8').trim().split('\n'))).toEqual(new Set(['500 0 499 1']));
    expect((await federation.api.jobs('&name=array')).length).toBe(1);
  }, 300_000);

  test('a two-node job runs srun on both nodes', async () => {
    const out = join(work(), 'two-nodes.txt');
    const job = await federation.api.submit({
      script: '#!/bin/bash\nsrun sh -c \'echo "$SLURMD_NODENAME $SLURM_PROCID"\'\n',
      stdout: out,
      resources: { nodes: 2, tasks: 2, tasksPerNode: 1, walltimeSeconds: 600, memoryMiBPerNode: 10 },
    });
    expect((await ended(job.number)).state).toBe('succeeded');
    const nodes = readFileSync(out, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0]);
    expect(new Set(nodes).size).toBe(2);
  });
});
