// accept → native id when idle, beyond what the same sbatch costs by itself (budget: p50 ≤ 40 ms).
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startSlurmCluster } from '../test/slurm/testbed.ts';
import { startFederation } from '../test/support/federation.ts';
import { bundles } from './support/bundles.ts';
import { median, quantile, report } from './support/report.ts';

const SAMPLES = 60;
const SCRIPT = '#!/bin/sh\n:\n';

const cluster = await startSlurmCluster({ name: 'bench', nodes: 1, cpusPerNode: 32, memoryMiBPerNode: 32_000 });
const federation = await startFederation({ programs: bundles() });
try {
  await federation.addCluster('bench', { kind: 'slurm', slurm: { conf: cluster.conf } });
  await federation.connected();
  const native: number[] = [];
  const ours: number[] = [];
  for (let sample = 0; sample < SAMPLES + 3; sample += 1) {
    // Alternating, so that both see the same machine.
    const nativeMs = timeNative();
    await delay(300);
    const oursMs = await timeOurs();
    await delay(300);
    if (sample >= 3) {
      native.push(nativeMs);
      ours.push(oursMs);
    }
  }
  const beyond = median(ours) - median(native);
  report(
    'latency',
    'Accept → native id, idle',
    ['', 'p50 ms', 'p95 ms'],
    [
      ['native sbatch (the limit)', median(native), quantile(native, 0.95)],
      ['POST → native id in the database', median(ours), quantile(ours, 0.95)],
      ['beyond native', beyond, quantile(ours, 0.95) - quantile(native, 0.95)],
    ],
    [
      `${SAMPLES} samples each, alternating, one Slurm ${cluster.name}`,
      `budget: p50 beyond native ≤ 40 ms; measured ${beyond.toFixed(1)} ms`,
    ],
  );
} finally {
  await federation.close();
  await cluster.stop();
}

function timeNative(): number {
  const started = performance.now();
  execFileSync('sbatch', ['--parsable', '-o', '/dev/null', '-D', '/tmp'], { input: SCRIPT, env: cluster.env });
  return performance.now() - started;
}

/** From sending the POST until the database holds the native id, read back from the events of the job itself. */
async function timeOurs(): Promise<number> {
  const sentAt = Date.now();
  const job = await federation.api.submit({ script: SCRIPT, stdout: join(federation.dir, 'work', 'bench-%j.out') });
  for (;;) {
    const answer = await federation.api.call<{ items: { kind: string; at: string }[] }>(
      'GET',
      `/v1/jobs/${job.id}/events`,
    );
    const placed = answer.body.items.find((event) => event.kind === 'placed' || event.kind === 'running');
    if (placed) return Date.parse(placed.at) - sentAt;
    await delay(5);
  }
}
