import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENDED } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { Ledger } from '../support/ledger.ts';
import { until } from '../support/until.ts';

type Clusters = { paused: { reason: string; since: string } | null };

/** PostgreSQL restored to an earlier base backup while jobs run: the worst enemy of "at most once". */
describe('a database that went back in time', () => {
  let federation: Federation;

  beforeAll(async () => {
    federation = await startFederation();
    for (const name of ['here', 'there'])
      await federation.addCluster(name, { kind: 'local', local: { cpus: 4, memoryMiB: 4000 } });
    await federation.connected();
  });
  afterAll(() => federation?.close());

  test('placement stops and says why, reality rolls the runs forward, nothing starts twice, nothing acknowledged before is lost', async () => {
    const ledger = new Ledger(join(federation.dir, 'work'), 'time');
    const spec = { script: ledger.script('sleep 3'), resources: { walltimeSeconds: 600, memoryMiBPerNode: 50 } };
    const before = await federation.api.submitMany(Array.from({ length: 40 }, () => spec));
    await until('some of them run', () => ledger.starts().size >= 6);
    await federation.postgres.backup();
    const atBackup = ledger.starts().size;
    // What happens now is unknown to the backup: more starts, more ends, more jobs.
    await federation.api.submitMany(Array.from({ length: 10 }, () => spec));
    await until('many more have started', () => ledger.starts().size >= atBackup + 12);

    await federation.agents.get('there')!.end('SIGKILL');
    await federation.postgres.stop('SIGINT');
    federation.postgres.restore();
    await federation.postgres.start();

    // One cluster is not there to be reconciled: everything must stand still, and say so.
    const paused = await until(
      'placement is paused',
      async () => {
        const answer = await federation.api.call<Clusters>('GET', '/v1/clusters').catch(() => null);
        return answer?.status === 200 && answer.body.paused;
      },
      { timeoutMs: 90_000, describe: () => federation.broker.output() },
    );
    expect(paused.reason).toMatch(/placement number|back in time|earlier/i);
    const runsWhilePaused = await placements();

    federation.startAgent('there');
    await until(
      'placement goes on',
      async () => {
        const answer = await federation.api.call<Clusters>('GET', '/v1/clusters').catch(() => null);
        return answer?.status === 200 && answer.body.paused === null;
      },
      { timeoutMs: 60_000, describe: () => federation.broker.output() },
    );
    expect(await placements()).toBeGreaterThanOrEqual(runsWhilePaused);

    const numbers = before.map((job) => job.number);
    for (const number of numbers) {
      const job = await until(
        `job ${number} ends`,
        async () => {
          const now = await federation.api.job(number);
          return ENDED.has(now.state) && now;
        },
        { timeoutMs: 180_000, everyMs: 250, describe: () => federation.api.job(number) },
      );
      expect({ number, state: job.state }).toEqual({ number, state: 'succeeded' });
    }
    expect(ledger.startedTwice()).toEqual([]);
    for (const number of numbers) expect(ledger.starts().get(`${number}.0`)).toBe(1);
  }, 400_000);

  const placements = async () => Number((await federation.api.jobs()).length);
});
