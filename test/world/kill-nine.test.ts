import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from '../slurm/testbed.ts';
import { ENDED } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { Ledger } from '../support/ledger.ts';
import { seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';

const slurm = slurmAvailable();
const KILLS = 32;

/** Broker, agents, PostgreSQL and slurmctld are killed at random moments while jobs flow. */
describe.skipIf(!slurm.ok)(`kill -9 under load ${slurm.why}`, () => {
  let federation: Federation;
  let clusters: SlurmCluster[];

  beforeAll(async () => {
    clusters = await Promise.all(
      ['one', 'two'].map((name) => startSlurmCluster({ name, nodes: 1, cpusPerNode: 16, memoryMiBPerNode: 16_000 })),
    );
    federation = await startFederation();
    for (const cluster of clusters)
      await federation.addCluster(cluster.name, { kind: 'slurm', slurm: { conf: cluster.conf } });
    await federation.addCluster('three', { kind: 'local', local: { cpus: 4, memoryMiB: 4000 } });
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    for (const cluster of clusters ?? []) await cluster.stop();
  });

  /**
   * A slurmctld that is killed forgets its last seconds and gives job ids away again; a node that still knows one of them is then
   * drained by Slurm ("Duplicate jobid") until its operator resumes it.
   */
  const resumeNodes = async () => {
    for (const cluster of clusters) {
      const state = (await cluster.run(['sinfo', '-h', '-N', '-o', '%T'])).stdout;
      if (/drain|down/.test(state)) await cluster.run(['scontrol', 'update', 'NodeName=n1', 'State=RESUME']);
    }
  };

  test(`${KILLS} kills: no acknowledged job is lost, none starts twice, all is reconciled within 30 s of the last restart`, async () => {
    const ledger = new Ledger(join(federation.dir, 'work'), 'kills');
    const spec = { script: ledger.script('sleep 0.5'), resources: { walltimeSeconds: 600, memoryMiBPerNode: 50 } };
    const acknowledged: number[] = [];
    let submitting = true;
    const load = (async () => {
      while (submitting) {
        const jobs = await federation.api.submitMany(Array.from({ length: 6 }, () => spec)).catch(() => []);
        acknowledged.push(...jobs.map((job) => job.number));
        await delay(700);
      }
    })();

    const killAgent = (name: string) => async () => {
      await federation.agents.get(name)!.end('SIGKILL');
      federation.startAgent(name);
    };
    const victims: (() => Promise<void>)[] = [
      async () => {
        await federation.broker.end('SIGKILL');
        await federation.startBroker();
      },
      async () => {
        await federation.postgres.stop('SIGKILL');
        await federation.postgres.start();
      },
      killAgent('one'),
      killAgent('two'),
      killAgent('three'),
      async () => {
        await clusters[0]!.stopController('SIGKILL');
        await clusters[0]!.startController();
      },
      async () => {
        await clusters[1]!.stopController('SIGKILL');
        await clusters[1]!.startController();
      },
    ];
    const random = seeded(20260101);
    for (let kill = 0; kill < KILLS; kill += 1) {
      await delay(300 + random() * 1500);
      await victims[kill % victims.length]!();
    }
    const lastRestart = performance.now();
    submitting = false;
    await load;
    await federation.connected();
    expect(performance.now() - lastRestart).toBeLessThan(30_000);

    const numbers = new Set(acknowledged);
    const open = async () =>
      (await federation.api.jobs()).filter((job) => numbers.has(job.number) && !ENDED.has(job.state));
    await until(
      'all acknowledged jobs end',
      async () => {
        await resumeNodes();
        return (await open()).length === 0;
      },
      {
        timeoutMs: 180_000,
        everyMs: 500,
        describe: async () => ({
          nodes: (
            await Promise.all(clusters.map((cluster) => cluster.run(['sinfo', '-h', '-N', '-o', '%N %T %E'])))
          ).map(({ stdout, stderr }) => stdout + stderr),
          programs: federation.describe(),
          open: (await open()).slice(0, 3),
        }),
      },
    );
    const jobs = (await federation.api.jobs()).filter((job) => numbers.has(job.number));
    expect(jobs.length).toBe(numbers.size);
    expect(
      jobs.filter((job) => job.state !== 'succeeded').map((job) => [job.number, job.state, job.reason, job.detail]),
    ).toEqual([]);
    expect(ledger.startedTwice()).toEqual([]);
    for (const number of numbers) expect(ledger.starts().get(`${number}.0`)).toBe(1);
    expect(numbers.size).toBeGreaterThan(60);
  }, 600_000);
});
