import { slurmQueue } from '@switchyard/agent-slurm/slurm-queue.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seeded } from '../support/seeded.ts';
import { type ReplyDroppingProxy, type SlurmCallKind, startReplyDroppingProxy } from './reply-dropping-proxy.ts';
import { type SlurmCluster, slurmAvailable, startSlurmCluster } from './testbed.ts';

const slurm = slurmAvailable();
const TIMES = 100;

/** The calls that only read: a lost answer may cost a report, but must never look like an empty cluster. */
describe.skipIf(!slurm.ok)(`lost answers to questions about the cluster (${slurm.why})`, () => {
  let cluster: SlurmCluster;
  let proxy: ReplyDroppingProxy;

  beforeAll(async () => {
    cluster = await startSlurmCluster({ name: 'north', nodes: 2, cpusPerNode: 4, memoryMiBPerNode: 4000 });
    proxy = await startReplyDroppingProxy(cluster.ports.slurmctld);
  });
  afterAll(async () => {
    await proxy?.stop();
    await cluster?.stop();
  });

  test.each<SlurmCallKind>(['build_info', 'partition_info', 'node_info', 'job_info'])(
    `${TIMES} lost answers of %s: the truth or an error, never less`,
    async (kind) => {
      const random = seeded(11);
      const dropped = () => proxy.seen.get(kind)?.dropped ?? 0;
      const before = dropped();
      proxy.decide((call) => (call.kind === kind && random() < 0.8 ? 'close' : 'pass'));
      let failures = 0;
      for (let attempt = 0; dropped() - before < TIMES; attempt += 1) {
        expect(attempt).toBeLessThan(10 * TIMES);
        // A new queue has nothing cached: every question is really asked.
        const queue = slurmQueue({ conf: cluster.confForPort(proxy.port) });
        try {
          expect(await queue.list()).toEqual([]);
          expect(await queue.capacity()).toMatchObject({ total: { nodes: 2, cpus: 8 }, free: { cpus: 8 } });
          expect(await queue.fingerprint()).toMatch(/^slurm:north@/);
        } catch (error) {
          if (error instanceof Error && error.name === 'AssertionError') throw error;
          failures += 1;
        }
      }
      expect(failures).toBeGreaterThan(0);
    },
    240_000,
  );
});
