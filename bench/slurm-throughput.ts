// 500 no-op jobs into one Slurm through the endpoint, against `xargs -P8 sbatch` of the bare script in the same run
// (budgets: all submitted ≥ 0.9 ×, all ended ≥ 0.85 ×).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startSlurmCluster } from '../test/slurm/testbed.ts';
import { startFederation } from '../test/support/federation.ts';
import { bundles } from './support/bundles.ts';
import { median, report } from './support/report.ts';

const JOBS = 500;
const ROUNDS = Number(process.env['ROUNDS'] ?? 3);
const SCRIPT = '#!/bin/sh\n:\n';

const cluster = await startSlurmCluster({ name: 'bench', nodes: 1, cpusPerNode: 64, memoryMiBPerNode: 64_000 });
const federation = await startFederation({ programs: bundles() });
try {
  await federation.addCluster('bench', { kind: 'slurm', slurm: { conf: cluster.conf }, backlog: 1000 });
  await federation.connected();
  const native: Times[] = [];
  const ours: Times[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    native.push(await runNative(round));
    ours.push(await runOurs());
  }
  const nativeSubmitted = median(native.map((times) => times.submitted));
  const nativeEnded = median(native.map((times) => times.ended));
  const oursSubmitted = median(ours.map((times) => times.submitted));
  const oursEnded = median(ours.map((times) => times.ended));
  report(
    'slurm-throughput',
    `${JOBS} no-op jobs into one Slurm`,
    ['', 'all submitted s', 'jobs/s', 'all ended s', 'jobs/s'],
    [
      ['xargs -P8 sbatch (the limit)', nativeSubmitted, JOBS / nativeSubmitted, nativeEnded, JOBS / nativeEnded],
      ['through the endpoint', oursSubmitted, JOBS / oursSubmitted, oursEnded, JOBS / oursEnded],
      ['ratio of the rates', nativeSubmitted / oursSubmitted, '', nativeEnded / oursEnded, ''],
    ],
    [
      `median of ${ROUNDS} rounds, native and ours alternating`,
      `budgets: submitted ≥ 0.9 ×, ended ≥ 0.85 ×; measured ${(nativeSubmitted / oursSubmitted).toFixed(2)} × and ${(nativeEnded / oursEnded).toFixed(2)} ×`,
      'ours counts from the first byte of the POST to the last native id, and to the last end, in the database',
    ],
  );
} finally {
  await federation.close();
  await cluster.stop();
}

type Times = { submitted: number; ended: number };

async function runNative(round: number): Promise<Times> {
  const script = join(cluster.dir, 'bare.sh');
  writeFileSync(script, SCRIPT, { mode: 0o755 });
  const started = performance.now();
  const child = spawn(
    'xargs',
    ['-P8', '-I{}', 'sbatch', '--parsable', `--job-name=bare${round}`, '-o', '/dev/null', '-D', '/tmp', script],
    {
      env: cluster.env,
      stdio: ['pipe', 'ignore', 'inherit'],
    },
  );
  child.stdin.end(Array.from({ length: JOBS }, (_, index) => `${index}\n`).join(''));
  await once(child, 'exit');
  const submitted = (performance.now() - started) / 1000;
  while ((await cluster.squeue(['-h', '-n', `bare${round}`, '-t', 'PD,R,CG', '-o', '%i'])).trim() !== '')
    await delay(250);
  return { submitted, ended: (performance.now() - started) / 1000 };
}

async function runOurs(): Promise<Times> {
  const startedMs = Date.now();
  const spec = { script: SCRIPT, stdout: '/dev/null', workdir: '/tmp' };
  const jobs = new Set(
    (await federation.api.submitMany(Array.from({ length: JOBS }, () => spec))).map((job) => job.id),
  );
  for (;;) {
    const open = (await federation.api.jobs()).filter(
      (job) => jobs.has(job.id) && !['succeeded', 'failed', 'cancelled'].includes(job.state),
    );
    if (open.length === 0) break;
    await delay(250);
  }
  const times = await federation.query(
    `SELECT max(runs.placed_at) AS placed, max(runs.ended_at) AS ended FROM runs WHERE job_id IN (${[...jobs].map((id) => `'${id}'`).join()})`,
  );
  const { placed, ended } = times.rows[0] as { placed: Date; ended: Date };
  return { submitted: (placed.getTime() - startedMs) / 1000, ended: (ended.getTime() - startedMs) / 1000 };
}
