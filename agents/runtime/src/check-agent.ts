import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { markerOf } from '@switchyard/core/spec/marker.ts';
import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import type { AgentConfig } from './agent-config.ts';
import { type AgentKind, type CheckRow, checkRow } from './agent-kind.ts';
import type { Backend, RunOrder, RunStatus } from './backend.ts';
import { checkBroker } from './broker-link/check-broker.ts';

/** The check has a mark of its own: its backend touches nothing of the agent that may run beside it, nor that agent the check's job. */
const CHECK_FEDERATION = 'aaaa';

/** The job of the check may have to wait for its turn on a busy cluster. */
const JOB_WITHIN_MS = 120_000;

/**
 * Proves, step by step, that an agent with this configuration would work, the last step with a real job on a node. It says
 * nothing to the broker, so it may be run beside a live agent.
 */
export async function* checkAgent(config: AgentConfig, kind: AgentKind): AsyncGenerator<CheckRow> {
  for (const warning of config.warnings) yield { what: 'file', ok: false, found: warning, advice: '' };
  yield await checkRow('broker', 'see that the address is right and the port is open from here', () =>
    checkBroker(config),
  );
  yield { what: 'federation', ok: true, found: federationOf(config), advice: '' };
  yield* kind.check(config);
  const folder = join(config.stateDir, `check-${randomUUID()}`);
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(() => {});
  try {
    yield* checkCluster({ ...config, stateDir: folder, federation: CHECK_FEDERATION }, kind);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Nothing is said to the broker, so it is not asked for its own. */
function federationOf({ federation }: AgentConfig): string {
  return federation === undefined
    ? "not named: whatever the broker's is"
    : `${federation}; a broker of another is refused`;
}

async function* checkCluster(config: AgentConfig, kind: AgentKind): AsyncGenerator<CheckRow> {
  let opened: Backend | undefined;
  yield await checkRow('cluster', 'the cluster must answer from this host as this user', async () => {
    opened = await kind.openBackend(config, () => {});
    return opened.fingerprint();
  });
  if (!opened) return;
  const backend = opened;
  try {
    yield await checkRow('queue', 'the queue must be readable', async () => {
      const started = performance.now();
      await backend.observe();
      return `read in ${Math.round(performance.now() - started)} ms`;
    });
    yield await checkRow('capacity', '', () => capacity(backend));
    const advice = 'a job must be able to run here, and to leave its record where the agent finds it';
    yield await checkRow('a job', advice, () => runJob(backend, config));
  } finally {
    await backend.close();
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
  await backend.forget([order.runId]);
  return describe(status);
}

function describe({ ends, nativeId }: RunStatus): string {
  const { outcome, detail, host, reason } = ends[0]!;
  if (outcome !== 'succeeded') throw new Error(`job ${nativeId} ended ${outcome}: ${detail ?? reason ?? ''}`);
  return `job ${nativeId} ran on ${host ?? 'a node'} and ended well`;
}

function checkOrder(config: AgentConfig): RunOrder {
  const parsed = validateJobSpec({
    name: 'yard-check',
    script: '#!/bin/sh\nexit 0\n',
    resources: { walltimeSeconds: 60 },
    stdout: '/dev/null',
  });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '));
  const runId = randomUUID();
  const pool = config.policy.allowedPools?.[0] ?? '';
  return {
    ...{ runId, placementNumber: 0, jobId: randomUUID(), jobNumber: 0, attempt: 1, tasks: '0' },
    ...{ spec: parsed.spec, specHash: '', pool, groupPath: 'default', owner: 'check' },
    marker: markerOf(CHECK_FEDERATION, runId),
  };
}
