import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReplyDroppingProxy, type SlurmCallKind, startReplyDroppingProxy } from '../slurm/reply-dropping-proxy.ts';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from '../slurm/testbed.ts';
import { ENDED } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { Ledger } from '../support/ledger.ts';
import { seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';

const slurm = slurmAvailable();
const TIMES = 100;
const KINDS: SlurmCallKind[] = ['submit_batch', 'job_info', 'kill_job'];

/** The request went through and its answer was lost: on every kind of call that changes or lists jobs, 100 times each. */
describe.skipIf(!slurm.ok)(`lost answers between the agent and slurmctld ${slurm.why}`, () => {
  let federation: Federation;
  const clusters: SlurmCluster[] = [];
  const proxies: ReplyDroppingProxy[] = [];

  beforeAll(async () => {
    federation = await startFederation();
    for (const name of ['lossy', 'lossier']) {
      const cluster = await startSlurmCluster({
        name,
        nodes: 1,
        cpusPerNode: 32,
        memoryMiBPerNode: 32_000,
        killWaitSeconds: 2,
      });
      const proxy = await startReplyDroppingProxy(cluster.ports.slurmctld);
      clusters.push(cluster);
      proxies.push(proxy);
      await federation.addCluster(name, { kind: 'slurm', slurm: { conf: cluster.confForPort(proxy.port) } });
    }
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    for (const proxy of proxies) await proxy.stop();
    for (const cluster of clusters) await cluster.stop();
  });

  const dropped = (kind: SlurmCallKind) =>
    proxies.reduce((sum, proxy) => sum + (proxy.seen.get(kind)?.dropped ?? 0), 0);

  test(`${TIMES} lost answers of each kind: no job lost, no payload started twice, every cancelled job really ended`, async () => {
    const random = seeded(7);
    for (const proxy of proxies)
      proxy.decide((call) =>
        KINDS.includes(call.kind) && dropped(call.kind) < TIMES && random() < 0.5 ? 'close' : 'pass',
      );

    const ledger = new Ledger(join(federation.dir, 'work'), 'lossy');
    const resources = { walltimeSeconds: 900, memoryMiBPerNode: 10 };
    const short = new Set<number>();
    const long = new Set<number>();
    for (let wave = 0; wave < 20 && KINDS.some((kind) => dropped(kind) < TIMES); wave += 1) {
      const quick = await federation.api.submitMany(
        Array.from({ length: 25 }, () => ({ script: ledger.script(':'), resources })),
      );
      const slow = await federation.api.submitMany(
        Array.from({ length: 15 }, () => ({ script: ledger.script('sleep 800 || exit 9'), resources })),
      );
      for (const job of quick) short.add(job.number);
      for (const job of slow) long.add(job.number);
      await until('the long jobs of the wave run', () => slow.every((job) => ledger.starts().has(`${job.number}.0`)), {
        timeoutMs: 120_000,
      });
      for (const job of slow) await federation.api.call('POST', `/v1/jobs/${job.number}/cancel`, {});
      const open = async () => (await federation.api.jobs()).filter((job) => !ENDED.has(job.state));
      await until('the wave ends', async () => (await open()).length === 0, {
        timeoutMs: 180_000,
        everyMs: 250,
        describe: async () => ({
          open: (await open()).slice(0, 3),
          agents: [...federation.agents.values()].map((agent) => agent.output().slice(-800)),
        }),
      });
    }
    for (const kind of KINDS) expect({ kind, dropped: dropped(kind) }).toEqual({ kind, dropped: TIMES });

    const jobs = await federation.api.jobs();
    expect(jobs.length).toBe(short.size + long.size);
    for (const job of jobs) {
      const expected = short.has(job.number) ? 'succeeded' : 'cancelled';
      expect({ number: job.number, state: job.state, detail: job.detail }).toMatchObject({
        number: job.number,
        state: expected,
      });
    }
    expect(ledger.startedTwice()).toEqual([]);
    expect(ledger.starts().size).toBe(jobs.length);
    // Nothing of ours is left in any queue, no cancelled payload ran on.
    for (const cluster of clusters) {
      await until(
        `the queue of ${cluster.name} is empty`,
        async () => (await cluster.squeue(['-h', '-t', 'PD,R', '-o', '%i %T'])).trim() === '',
      );
    }
    expect(ledger.lines().filter((line) => line.word === 'end' && long.has(line.number))).toEqual([]);
  }, 900_000);
});
