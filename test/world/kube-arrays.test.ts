import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '@switchyard/agent-k8s/api-types.ts';
import { JOB_LABEL } from '@switchyard/agent-k8s/names.ts';
import { count, formatRangeSet, fromIndexes, indexes, rangeSet } from '@switchyard/core/spec/range-set.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failingTasks } from '../k8s/failing-tasks.ts';
import {
  JOBS,
  type KubeSite,
  payload,
  SHARED,
  type SharedFolder,
  sharedFolder,
  startKubeSite,
} from '../k8s/kube-site.ts';
import { kubernetesAvailable } from '../k8s/testbed.ts';
import { mostRunning, type PodChange, watchPods } from '../k8s/watch-pods.ts';
import { yard } from '../k8s/yard.ts';
import { ENDED } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { until } from '../support/until.ts';

const kubernetes = kubernetesAvailable();
const REAL = { kubernetes: { pool: 'real' } };
const SIMULATED = { kubernetes: { pool: 'simulated' } };

describe.skipIf(!kubernetes.ok)(`arrays and jobs of several nodes on Kubernetes (${kubernetes.why})`, () => {
  let shared: SharedFolder;
  let federation: Federation;
  let site: KubeSite;

  beforeAll(async () => {
    shared = sharedFolder();
    site = await startKubeSite({ name: 'arrays' }, shared);
    await site.kube.startDns();
    for (const name of ['n1', 'n2'])
      await site.kube.addNode(name, { cpus: 8, memoryMiB: 16_000, labels: { pool: 'real' } });
    await site.kube.addSimulatedNodes(4, {
      labels: { pool: 'simulated' },
      exitStages: failingTasks(1, { by: 50, rest: 7 }),
    });
    federation = await startFederation();
    const pools = Object.fromEntries(['real', 'simulated'].map((pool) => [pool, { nodeSelector: { pool } }]));
    await federation.addCluster('kube', { ...(await site.settings({ pools })), backlog: 2000 });
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    await site?.close();
    shared?.remove();
  });

  const ended = (number: number, timeoutMs = 180_000) =>
    until(
      `job ${number} ends`,
      async () => {
        const job = await federation.api.job(number);
        return ENDED.has(job.state) && job;
      },
      {
        timeoutMs,
        everyMs: 200,
        describe: async () => ({ job: await federation.api.job(number), programs: federation.describe() }),
      },
    );

  test('an array of 1,000 with maxRunning 50: never more running, the right failures, one record', async () => {
    const watch = await watchPods(site.kube, JOBS);
    const job = await federation.api.submit({
      name: 'thousand',
      script: '#!/bin/sh\nexit 0\n',
      resources: { walltimeSeconds: 600, memoryMiBPerNode: 10 },
      native: SIMULATED,
      array: { tasks: '0-999', maxRunning: 50 },
    });
    const end = await ended(job.number, 540_000);
    await until('the API server has told the last end', () => seenEnds(watch.changes).size === 1000, {
      describe: () => formatRangeSet(fromIndexes(seenEnds(watch.changes).keys())),
    });
    watch.close();

    expect({ state: end.state, reason: end.reason, failed: end.tasks.failed }).toEqual({
      state: 'failed',
      reason: 'exit_code',
      failed: '7-957:50',
    });
    expect(count(rangeSet(end.tasks.succeeded))).toBe(980);
    expect((await federation.api.jobs('&name=thousand')).length).toBe(1);
    // What the API server has seen: each task in one pod, and how it ended there.
    const seen = seenEnds(watch.changes);
    expect(formatRangeSet(fromIndexes(seen.keys()))).toBe('0-999');
    expect(formatRangeSet(fromIndexes([...seen.keys()].filter((task) => seen.get(task) === 'Failed')))).toBe(
      '7-957:50',
    );
    expect(new Set(watch.changes.map(({ pod }) => pod.metadata.uid)).size).toBe(1000);
    expect(mostRunning(watch.changes)).toBeGreaterThan(5);
    expect(mostRunning(watch.changes)).toBeLessThanOrEqual(50);
  });

  test('every task of an array on real nodes runs once, knows which it is, and has an output of its own', async () => {
    const ledger = shared.ledger('array');
    const say = 'echo "$SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX"';
    const job = await federation.api.submit({
      script: `#!/bin/sh\n${payload(ledger, `${say}; [ "$SLURM_ARRAY_TASK_ID" -ne 7 ] || (exit 9)`)}`,
      resources: { walltimeSeconds: 600, memoryMiBPerNode: 10 },
      workdir: shared.path,
      needs: [SHARED],
      native: REAL,
      array: { tasks: '1,3-9:2,40', maxRunning: 4 },
    });
    const end = await ended(job.number);
    expect({ state: end.state, failed: end.tasks.failed, exitCode: end.exitCode }).toEqual({
      state: 'failed',
      failed: '7',
      exitCode: 9,
    });
    expect(ledger.startedTwice()).toEqual([]);
    expect(new Set(ledger.starts().keys())).toEqual(
      new Set([1, 3, 5, 7, 9, 40].map((task) => `${job.number}.${task}`)),
    );
    for (const task of [3, 40])
      expect((await yard(federation, 'logs', `${job.number}_${task}`)).stdout).toBe(`${task} 6 1 40\n`);
  });

  test('rank 1 of a job of two nodes speaks to rank 0 by name', async () => {
    const heard = join(shared.path, 'heard.txt');
    const script = [
      '#!/bin/sh',
      'echo "rank $YARD_NODE_RANK of $YARD_NODES"',
      'first=$(echo "$YARD_NODELIST" | cut -d, -f1)',
      `[ "$YARD_NODE_RANK" = 0 ] && { nc -l -p 7777 > '${heard}'; exit 0; }`,
      // The busybox of the image asks for names by itself only with nslookup.
      `address=$(nslookup "$first.${JOBS}.svc.cluster.local" | sed -n "s/^Address: *//p" | tail -n 1)`,
      'for try in 1 2 3 4 5 6 7 8 9; do',
      '  echo "hello from $YARD_NODE_NAME" | nc -w 5 "$address" 7777 2>/dev/null && exit 0',
      '  sleep 1',
      'done',
      'exit 1',
    ].join('\n');
    const watch = await watchPods(site.kube, JOBS);
    const job = await federation.api.submit({
      script,
      resources: { nodes: 2, walltimeSeconds: 600, memoryMiBPerNode: 10 },
      workdir: shared.path,
      needs: [SHARED],
      native: REAL,
    });
    const end = await ended(job.number);
    watch.close();
    expect({ state: end.state, detail: end.detail }).toEqual({ state: 'succeeded', detail: null });
    const pods = watch.changes.map(({ pod }) => pod).filter((pod) => jobOf(pod) === job.number);
    const nodes = new Map(pods.map((pod) => [pod.metadata.uid, pod.spec.nodeName]));
    expect([...nodes.values()].sort()).toEqual(['n1', 'n2']);
    expect(readFileSync(heard, 'utf8')).toMatch(/^hello from n[12]\n$/);
    for (const rank of ['0', '1'])
      expect((await yard(federation, 'logs', '--rank', rank, String(job.number))).stdout).toBe(`rank ${rank} of 2\n`);
  });
});

/** How each task's pod ended, by the order that stands in the pod itself. */
function seenEnds(changes: readonly PodChange[]): Map<number, string> {
  const seen = new Map<number, string>();
  for (const { pod } of changes) {
    const phase = pod.status?.phase;
    if (phase === 'Succeeded' || phase === 'Failed') seen.set(taskOf(pod), phase);
  }
  return seen;
}

function jobOf({ metadata }: Pod): number {
  return Number(metadata.labels?.[JOB_LABEL]);
}

function taskOf({ metadata, spec }: Pod): number {
  const tasks = spec.containers[0]!.args?.[0] ?? '';
  const index = Number(metadata.annotations?.['batch.kubernetes.io/job-completion-index']);
  return [...indexes(rangeSet(tasks))][index]!;
}
