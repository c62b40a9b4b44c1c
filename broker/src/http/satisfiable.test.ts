import type { CapacityReport, PoolReport } from '@switchyard/core/placement/capacity-report.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addCluster } from '../db/add-cluster.ts';
import { newToken, tokenHash } from '../token.ts';
import { buildApp } from './app.ts';
import { type AppUnderTest, appUnderTest, script } from './testing/app-under-test.ts';

let it: AppUnderTest;
beforeAll(async () => {
  it = await appUnderTest();
  await reporting('north', 8, 3600);
  await reporting('south', 16, null);
});
afterAll(() => it.close());

async function reporting(name: string, cpus: number, maxWalltimeSeconds: number | null): Promise<void> {
  await addCluster(it.db, { name, tokenHash: tokenHash(newToken('yc_')), actor: 'test' });
  const report = JSON.stringify(capacity(cpus, maxWalltimeSeconds));
  await it.asSuperuser(`UPDATE clusters SET kind = 'slurm', hello_at = now(), last_seen_at = now(), reconciled_at = now(), session_holder = 'test'
    WHERE name = '${name}'`);
  await it.asSuperuser(`INSERT INTO capacity_reports VALUES ('${name}', now(), '${report}')`);
}

function capacity(cpus: number, maxWalltimeSeconds: number | null): CapacityReport {
  const amounts = { nodes: 2, cpus: 2 * cpus, memoryMiB: 64_000, gpus: 0 };
  const slot = { cpus, memoryMiB: 32_000, gpus: 0 };
  const pool: PoolReport = {
    ...{ name: 'main', isDefault: true, up: true, nativeState: 'up', total: amounts, free: amounts },
    ...{ largestNode: slot, largestFreeSlot: slot, maxWalltimeSeconds, defaultWalltimeSeconds: null },
    ...{ maxNodesPerJob: null, maxCpusPerNode: null, maxMemoryMiBPerNode: null, gpuTypes: [], features: [] },
    ...{ runningJobs: 0, waitingJobs: 0, waitingCpus: 0, waitingCpuSeconds: 0, steps: [] },
  };
  return {
    ...{ total: amounts, free: amounts, runningJobs: 0, waitingJobs: 0, pools: [pool] },
    ...{ maxArrayIndex: 1000, submitSlotsLeft: null, software: 'slurm 22.05', notes: [] },
  };
}

test('a job that no cluster can ever run is refused, with the limit of each', async () => {
  const spec = { script, resources: { cpusPerTask: 12, walltimeSeconds: 7200 }, constraints: { clusters: ['north'] } };
  const answer = await it.call('POST', '/v1/jobs', { body: { spec } });
  const problem = answer.json();
  expect(problem).toMatchObject({ status: 422, code: 'unsatisfiable', retryable: false });
  expect(problem.details.refusals).toEqual([
    { cluster: 'north', kind: 'never_fits_cpus', sentence: expect.stringMatching(/at most 8 CPUs.*asks for 12/) },
    { cluster: 'south', kind: 'constraint_cluster', sentence: expect.any(String) },
  ]);
  expect(problem.detail).toContain('at most 8 CPUs');
  const { rows } = await it.asSuperuser('SELECT count(*)::int AS n FROM jobs');
  expect(rows[0].n).toBe(0);
});

test('a batch names which of its jobs it is', async () => {
  const jobs = [{ script }, { script, resources: { gpusPerNode: 1 } }];
  const answer = await it.call('POST', '/v1/jobs/batch', { body: { jobs } });
  expect(answer.json()).toMatchObject({ status: 422, code: 'unsatisfiable', details: { index: 1 } });
});

test('a dry run shows where it would go and why not elsewhere', async () => {
  const body = { spec: { script, resources: { walltimeSeconds: 7200 } } };
  const answer = (await it.call('POST', '/v1/jobs?dryRun=true', { body })).json();
  expect(answer).toMatchObject({
    placements: [{ cluster: 'south', pool: 'main' }],
    refusals: [{ cluster: 'north', kind: 'pool_walltime', permanent: true }],
    spec: { resources: { walltimeSeconds: 7200 } },
  });
});

test('what only has to wait is taken, whatever the clusters do now', async () => {
  await it.asSuperuser("UPDATE clusters SET admission = 'cordoned'");
  const later = { script, startAfter: '2100-01-01T00:00:00Z' };
  for (const spec of [{ script }, later, { script, held: true }])
    expect((await it.call('POST', '/v1/jobs', { body: { spec } })).statusCode).toBe(201);
});

test('a waiting job says why it waits', async () => {
  const { items } = (await it.call('GET', '/v1/jobs?state=queued')).json();
  expect(items.at(-1).waitReason).toMatch(/cordoned/);
  expect((await it.call('GET', `/v1/jobs/${items.at(-1).number}`)).json().waitReason).toBe(items.at(-1).waitReason);
});

test('what was accepted under a key is not refused when it is asked for again, also after a restart', async () => {
  const spec = { script, resources: { cpusPerTask: 15 } };
  const headers = { 'idempotency-key': 'roomy' };
  const ask = async (app: AppUnderTest['app'], url: string, payload: object, more: Record<string, string> = headers) =>
    app.inject({ method: 'POST', url, payload, headers: { authorization: `Bearer ${it.admin}`, ...more } });
  const first = await ask(it.app, '/v1/jobs', { spec });
  const batch = await ask(it.app, '/v1/jobs/batch', { jobs: [spec, spec] });
  const shrunk = JSON.stringify(capacity(4, null));
  await it.asSuperuser(`UPDATE capacity_reports SET report = '${shrunk}'`);

  const restarted = await buildApp({
    ...{ db: it.db, version: '0.0.0', placement: { policy: 'least-loaded', staleAfterMs: 30_000 } },
  });
  expect((await ask(restarted, '/v1/jobs', { spec }, {})).statusCode).toBe(422);
  const again = await ask(restarted, '/v1/jobs', { spec });
  expect([again.statusCode, again.json().id]).toEqual([201, first.json().id]);
  expect((await ask(restarted, '/v1/jobs/batch', { jobs: [spec, spec] })).json()).toEqual(batch.json());
  const other = { ...spec, name: 'other' };
  expect((await ask(restarted, '/v1/jobs', { spec: other })).statusCode).toBe(422);
  await restarted.close();
});
