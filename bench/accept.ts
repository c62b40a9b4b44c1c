// Durable accepts, one job per POST over 50 connections, against a bare Fastify route with the same batched insert;
// and 1,000 jobs per request against the raw insert of the same rows (budgets: ≥ 0.45 ×, p99 ≤ 40 ms, ≥ 0.6 ×).
import { createHash, randomUUIDv7 } from 'node:crypto';
import { join } from 'node:path';
import { openDatabase } from '@switchyard/broker/db/database.ts';
import { canonicalJson } from '@switchyard/core/spec/canonical-json.ts';
import { jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import autocannon from 'autocannon';
import { startFederation } from '../test/support/federation.ts';
import { freePort } from '../test/support/postgres-server.ts';
import { startProgram } from '../test/support/process.ts';
import { bundles } from './support/bundles.ts';
import { median, report } from './support/report.ts';

const SECONDS = Number(process.env['SECONDS_EACH'] ?? 8);
const ROUNDS = Number(process.env['ROUNDS'] ?? 3);
const BULK = 1000;
const BULK_REQUESTS = 20;
/** The rows that an accepted job is: itself and its first event. */
const RAW_INSERT = `
  WITH stored AS (
    INSERT INTO jobs (id, group_path, owner, name, spec, spec_hash, priority, state, task_count, tasks, queued, held, is_array)
    SELECT id, 'default', 'bench', 'job', spec, spec_hash, 500, 'held', 1, '{[0,1)}', '{[0,1)}', true, false
      FROM unnest($1::uuid[], $2::jsonb[], $3::text[]) AS row (id, spec, spec_hash) RETURNING id)
  INSERT INTO events (job_id, sequence, group_path, kind) SELECT id, 1, 'default', 'submitted' FROM stored`;
/** Held, so that what is measured is the accept and not the placing of what was accepted. */
const spec = { script: '#!/bin/sh\n:\n', held: true };

const federation = await startFederation({ env: { SWITCHYARD_LOG_LEVEL: 'error' }, programs: bundles() });
const databaseUrl = federation.postgres.url.replace(/postgres$/, 'switchyard');
const port = await freePort();
const bare = startProgram('bare route', [process.execPath, join(import.meta.dirname, 'support/bare-route.ts')], {
  ...process.env,
  DATABASE_URL: databaseUrl,
  PORT: String(port),
});
try {
  await bare.says(/listening/);
  const limit: Load[] = [];
  const ours: Load[] = [];
  await load(`http://127.0.0.1:${port}`, 2);
  await load(federation.api.url, 2);
  for (let round = 0; round < ROUNDS; round += 1) {
    limit.push(await load(`http://127.0.0.1:${port}`, SECONDS));
    ours.push(await load(federation.api.url, SECONDS));
  }
  const bulk = await bulkRates();
  const rate = (loads: Load[]) => median(loads.map((each) => each.perSecond));
  const p99 = (loads: Load[]) => median(loads.map((each) => each.p99Ms));
  report(
    'accept',
    'Durable accepts',
    ['', 'jobs/s', 'p99 ms', 'ratio'],
    [
      ['bare route, same batched insert (the limit)', rate(limit), p99(limit), ''],
      ['POST /v1/jobs, 50 connections', rate(ours), p99(ours), rate(ours) / rate(limit)],
      [`raw insert of ${BULK} rows (the limit)`, bulk.raw, '', ''],
      [`POST /v1/jobs/batch, ${BULK} jobs each`, bulk.ours, '', bulk.ours / bulk.raw],
    ],
    [
      `median of ${ROUNDS} rounds of ${SECONDS} s, alternating; client, server and PostgreSQL share the machine`,
      `budgets: ≥ 0.45 ×, p99 ≤ 40 ms, bulk ≥ 0.6 ×; measured ${(rate(ours) / rate(limit)).toFixed(2)} ×, ${p99(ours).toFixed(1)} ms, ${(bulk.ours / bulk.raw).toFixed(2)} ×`,
    ],
  );
} finally {
  await bare.end();
  await federation.close();
}

type Load = { perSecond: number; p99Ms: number };

async function load(url: string, seconds: number): Promise<Load> {
  const result = await autocannon({
    url: `${url}/v1/jobs`,
    method: 'POST',
    connections: 50,
    duration: seconds,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${federation.token}` },
    body: JSON.stringify({ spec }),
  });
  if (result.non2xx > 0 || result.errors > 0) throw new Error(`${result.non2xx} refused, ${result.errors} errors`);
  return { perSecond: result.requests.average, p99Ms: result.latency.p99 };
}

/** Alternating: one raw `INSERT … SELECT FROM unnest` of the same rows of jobs, and as many jobs through the endpoint. */
async function bulkRates(): Promise<{ raw: number; ours: number }> {
  const db = await openDatabase({ url: databaseUrl, applicationName: 'bench-bulk' });
  const specJson = canonicalJson(jobSpecSchema.parse(spec));
  const specHash = createHash('sha256').update(specJson).digest('hex');
  const column = <Value>(value: () => Value) => Array.from({ length: BULK }, value);
  const raw: number[] = [];
  const ours: number[] = [];
  try {
    for (let request = 0; request < BULK_REQUESTS; request += 1) {
      const columns = [column(randomUUIDv7), column(() => specJson), column(() => specHash)];
      raw.push(await timed(() => db.system.query(RAW_INSERT, columns)));
      ours.push(await timed(() => federation.api.submitMany(column(() => spec))));
    }
  } finally {
    await db.close();
  }
  return { raw: BULK / (median(raw) / 1000), ours: BULK / (median(ours) / 1000) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
