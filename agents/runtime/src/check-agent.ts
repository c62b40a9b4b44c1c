import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import type { AgentConfig } from './agent-config.ts';
import type { AgentKind } from './agent-kind.ts';
import type { Backend, RunOrder, RunStatus } from './backend.ts';
import { checkBroker } from './broker-link/check-broker.ts';
import { claimBackend } from './claim-backend.ts';
import { openClaimStore } from './claim-store.ts';
import { runCommand } from './run-local.ts';

export type CheckRow = {
  readonly what: string;
  readonly ok: boolean;
  /** What was found. */
  readonly found: string;
  /** What to do, when it is not well. */
  readonly advice: string;
};

/** The job of the check may have to wait for its turn on a busy cluster. */
const JOB_WITHIN_MS = 120_000;

/**
 * Proves, step by step, that an agent with this configuration would work, the last step with a real job that takes a claim on
 * a node. It says nothing to the broker, so it may be run beside a live agent.
 */
export async function* checkAgent(config: AgentConfig, kind: AgentKind): AsyncGenerator<CheckRow> {
  for (const warning of config.warnings) yield { what: 'file', ok: false, found: warning, advice: '' };
  yield await row('broker', 'see that the address is right and the port is open from here', () => checkBroker(config));
  for (const { file, args, advice } of kind.programs(config)) yield await row(file, advice, () => version(file, args));
  yield await row(
    'state directory',
    'the agent must be able to make files there; on a cluster all nodes must too',
    () => claimHere(config.stateDir),
  );
  const folder = join(config.stateDir, `check-${randomUUID()}`);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(() => {});
  try {
    yield* checkCluster({ ...config, stateDir: folder }, kind);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

async function* checkCluster(config: AgentConfig, kind: AgentKind): AsyncGenerator<CheckRow> {
  const queue = await kind.openQueue(config);
  const { cluster, stateDir, defaultWorkdir } = config;
  const backend = await claimBackend({ queue, stateDir, cluster, defaultWorkdir });
  try {
    yield await row('cluster', 'the cluster must answer from this host as this user', () => backend.fingerprint());
    yield await row('capacity', '', () => capacity(backend));
    yield await row('queue', 'the queue must be readable', async () => {
      const started = performance.now();
      await backend.observe();
      return `read in ${Math.round(performance.now() - started)} ms`;
    });
    const advice =
      'a job on a node must be able to link files in stateDir: it must lie on a file system that all nodes see';
    yield await row('claim by a job', advice, () => runJob(backend, config));
  } finally {
    await backend.close();
  }
}

async function row(what: string, advice: string, find: () => Promise<string>): Promise<CheckRow> {
  try {
    return { what, ok: true, found: await find(), advice: '' };
  } catch (error) {
    return { what, ok: false, found: (error as Error).message, advice };
  }
}

async function version(file: string, args: readonly string[]): Promise<string> {
  const result = await runCommand({ file, args, timeoutMs: 20_000, maxOutputBytes: 1_000_000 });
  if (result.kind === 'not_found') throw new Error('not found on PATH');
  if (result.kind !== 'exited' || result.code !== 0) throw new Error(`does not answer (${result.kind})`);
  return (result.stdout || result.stderr).split('\n')[0]!.trim();
}

async function claimHere(stateDir: string): Promise<string> {
  const store = openClaimStore(stateDir);
  const runId = `check-${randomUUID()}`;
  await store.make(runId);
  try {
    const first = await store.take(runId, [0], 'withdrawn');
    const second = await store.take(runId, [0], 'cancelled');
    if (!first.get(0)!.won || second.get(0)!.won) throw new Error('hard links do not decide here who was first');
    return `claims work in ${stateDir}`;
  } finally {
    await store.remove(runId);
  }
}

async function capacity(backend: Backend): Promise<string> {
  const { software, total, free, pools, notes } = await backend.capacity();
  const names = pools.map(({ name }) => name).join(', ');
  return [`${software}: ${total.cpus} CPUs, ${free.cpus} free; pools ${names}`, ...notes].join('; ');
}

async function runJob(backend: Backend, config: AgentConfig): Promise<string> {
  const order = checkOrder(config);
  const submitted = await backend.submit(order, { observedBefore: false });
  const until = performance.now() + JOB_WITHIN_MS;
  let status = submitted;
  while (status.ends.length === 0 && performance.now() < until) {
    await delay(Math.min(1000, backend.nextObserveMs()));
    const { changed } = await backend.observe();
    status = changed.find(({ runId }) => runId === order.runId) ?? status;
  }
  if (status.ends.length === 0) {
    await backend.cancel(order.runId);
    throw new Error(`job ${status.nativeId} is still ${status.nativeState} ${status.nativeReason}`.trim());
  }
  return describe(status);
}

function describe({ ends, nativeId }: RunStatus): string {
  const { outcome, detail, host, reason } = ends[0]!;
  if (outcome !== 'succeeded') throw new Error(`job ${nativeId} ended ${outcome}: ${detail ?? reason ?? ''}`);
  return `job ${nativeId} took its claim on ${host ?? 'a node'} and ended well`;
}

function checkOrder(config: AgentConfig): RunOrder {
  const parsed = validateJobSpec({
    name: 'yard-check',
    script: '#!/bin/sh\nexit 0\n',
    resources: { walltimeSeconds: 60 },
    workdir: config.defaultWorkdir,
    stdout: '/dev/null',
  });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '));
  const runId = randomUUID();
  const pool = config.policy.allowedPools?.[0] ?? '';
  return {
    ...{ runId, placementNumber: 0, jobId: randomUUID(), jobNumber: 0, attempt: 1, tasks: '0' },
    ...{ spec: parsed.spec, specHash: '', pool, groupPath: 'default', owner: 'check' },
    marker: markerOf('aaaa', runId),
  };
}
