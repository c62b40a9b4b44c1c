import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { JOB_LABEL } from '@switchyard/agent-k8s/names.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JOBS, type KubeSite, startKubeSite } from '../k8s/kube-site.ts';
import { kubernetesAvailable } from '../k8s/testbed.ts';
import { type PodWatch, watchPods } from '../k8s/watch-pods.ts';
import { ENDED, type JobView } from '../support/api.ts';
import { type Federation, startFederation } from '../support/federation.ts';
import { Ledger } from '../support/ledger.ts';
import { seeded } from '../support/seeded.ts';
import { until } from '../support/until.ts';

const kubernetes = kubernetesAvailable();
const RACES = 500;
const RACES_WITH_KILLS = 150;
const WAVE = 50;
/** From the first to the last withdrawal of a wave. */
const SPREAD_MS = 500;

/**
 * A withdrawal meets the binding of the pod, many times over: a real scheduler binds to simulated nodes, so that a pod that is
 * bound has started, and the other cluster is this host.
 */
describe.skipIf(!kubernetes.ok)(`withdrawals racing with the binding of pods (${kubernetes.why})`, () => {
  let federation: Federation;
  let site: KubeSite;

  beforeAll(async () => {
    site = await startKubeSite({ name: 'withdrawals' });
    await site.kube.addSimulatedNodes(4, { jobSeconds: 0.2 });
    federation = await startFederation();
    await federation.addCluster('kube', await site.settings());
    await federation.addCluster('here', { kind: 'local', local: { cpus: 4, memoryMiB: 4000 } });
    await federation.connected();
  });
  afterAll(async () => {
    await federation?.close();
    await site?.close();
  });

  test(`${RACES} times: every job ran exactly once, on one of the two clusters`, async () => {
    await race({ name: 'withdrawals', races: RACES, seed: 11 });
  });

  test(`${RACES_WITH_KILLS} times while the controller manager is killed and started again: the same`, async () => {
    const manager = site.kube.component('controller-manager');
    const random = seeded(13);
    await race({
      name: 'kills',
      races: RACES_WITH_KILLS,
      seed: 12,
      meanwhile: async () => {
        await delay(random() * 1000);
        await manager.kill('SIGKILL');
        await delay(random() * 1000);
        await manager.start();
      },
    });
  });

  type Race = { name: string; races: number; seed: number; meanwhile?: () => Promise<void> };

  async function race({ name, races, seed, meanwhile = async () => {} }: Race): Promise<void> {
    const random = seeded(seed);
    const ledger = new Ledger(join(federation.dir, 'work'), name);
    const watch = await watchPods(site.kube, JOBS);
    const jobs: JobView[] = [];
    // How long the scheduler leaves the first withdrawals alone; it follows the pace of this machine, so that both sides win some.
    let leadMs = 300;
    for (let wave = 0; wave < races / WAVE; wave += 1) {
      const isHeld = wave % 3 < 2;
      const disturb = (numbers: number[]) =>
        isHeld ? withdrawWhenMade(watch, numbers, random, leadMs) : withdrawWhenPlaced(numbers, random);
      const [done] = await Promise.all([runWave(ledger, disturb), meanwhile()]);
      const won = done.filter(isWithdrawn).length / WAVE;
      if (isHeld && won < 0.4) leadMs += 200;
      if (isHeld && won > 0.6) leadMs = Math.max(0, leadMs - 100);
      jobs.push(...done);
    }
    watch.close();

    const bound = boundPods(watch);
    const starts = ledger.starts();
    for (const { number, state } of jobs) {
      const ran = { here: starts.get(`${number}.0`) ?? 0, kube: bound.get(number)?.size ?? 0 };
      expect({ number, state, ran: ran.here + ran.kube }, JSON.stringify(ran)).toEqual({
        number,
        state: 'succeeded',
        ran: 1,
      });
    }
    expect(jobs).toHaveLength(races);
    // Nothing that was bound was taken away again.
    const last = new Map(watch.changes.map(({ pod }) => [pod.metadata.uid, pod]));
    for (const uids of bound.values()) for (const uid of uids) expect(last.get(uid)?.status?.phase).toBe('Succeeded');
    // A race that one side always wins is no race.
    const won = jobs.filter(isWithdrawn).length;
    expect(won).toBeGreaterThan(0);
    expect(jobs.filter(({ number }) => bound.has(number)).length).toBeGreaterThan(0);
    // Of those that were taken back, many had a pod already.
    const taken = jobs.filter(isWithdrawn).filter(({ number }) => podsOf(watch, number).length > 0);
    expect(taken.length).toBeGreaterThan(0);
  }

  /** Submits a wave, disturbs it, and waits for all ends. */
  async function runWave(ledger: Ledger, disturb: (numbers: number[]) => Promise<void>): Promise<JobView[]> {
    const spec = {
      script: ledger.script(),
      resources: { walltimeSeconds: 600, memoryMiBPerNode: 10 },
      stdout: '/dev/null',
    };
    await admit('cordon');
    const accepted = await federation.api.submitMany(Array.from({ length: WAVE }, () => spec));
    const numbers = accepted.map(({ number }) => number);
    await disturb(numbers);
    const mine = new Set(numbers);
    const open = async () =>
      (await federation.api.jobs()).filter((job) => mine.has(job.number) && !ENDED.has(job.state));
    await until('the wave ends', async () => (await open()).length === 0, {
      timeoutMs: 120_000,
      everyMs: 250,
      describe: async () => ({ open: (await open()).slice(0, 3), programs: federation.describe() }),
    });
    return Promise.all(numbers.map((number) => federation.api.job(number)));
  }

  /** All pods are made and wait; the scheduler goes on in the middle of the withdrawals. */
  async function withdrawWhenMade(watch: PodWatch, numbers: number[], random: () => number, leadMs: number) {
    const scheduler = site.kube.component('scheduler');
    scheduler.pause();
    try {
      const runs = await until(
        'every job has a pod',
        async () => {
          const runs = await runsOf(numbers);
          return runs.length >= numbers.length && runs.every((run) => podsOf(watch, run.number).length > 0) && runs;
        },
        { everyMs: 100, describe: () => federation.describe() },
      );
      const goOn = delay(leadMs).then(() => scheduler.resume());
      await admit('activate');
      await Promise.all([goOn, ...runs.map((run) => delay(random() * SPREAD_MS).then(() => withdraw(run.id)))]);
    } finally {
      scheduler.resume();
    }
  }

  /** As it comes: from before the Job is made to when it has ended. */
  async function withdrawWhenPlaced(numbers: number[], random: () => number): Promise<void> {
    const asked = new Map<string, Promise<void>>();
    await until(
      'every job has a place',
      async () => {
        for (const { id } of await runsOf(numbers))
          if (!asked.has(id))
            asked.set(
              id,
              delay(random() * SPREAD_MS).then(() => withdraw(id)),
            );
        return asked.size >= numbers.length;
      },
      { everyMs: 20, describe: () => federation.describe() },
    );
    await admit('activate');
    await Promise.all(asked.values());
  }

  async function runsOf(numbers: number[]): Promise<{ id: string; number: number }[]> {
    const { rows } = await federation.query(
      `SELECT r.id, j.number FROM runs r JOIN jobs j ON j.id = r.job_id
       WHERE r.cluster = 'kube' AND j.number IN (${numbers.join()})`,
    );
    return rows.map(({ id, number }) => ({ id, number: Number(number) }));
  }

  /** All jobs of a wave are to be given to Kubernetes first. */
  async function admit(action: 'cordon' | 'activate'): Promise<void> {
    const { status } = await federation.api.call('POST', `/v1/clusters/here/${action}`, {});
    expect(status).toBeLessThan(300);
  }

  async function withdraw(runId: string): Promise<void> {
    const { status } = await federation.api.call('POST', `/v1/runs/${runId}/withdraw`);
    expect([200, 202]).toContain(status);
  }
});

function isWithdrawn({ runs }: JobView): boolean {
  return runs.some(({ outcome }) => outcome === 'withdrawn');
}

function podsOf({ changes }: PodWatch, number: number) {
  return changes.map(({ pod }) => pod).filter(({ metadata }) => Number(metadata.labels?.[JOB_LABEL]) === number);
}

/** By job, the pods that ever had a node. */
function boundPods({ changes }: PodWatch): Map<number, Set<string>> {
  const bound = new Map<number, Set<string>>();
  for (const { pod } of changes) {
    if (!pod.spec.nodeName) continue;
    const number = Number(pod.metadata.labels?.[JOB_LABEL]);
    bound.set(number, (bound.get(number) ?? new Set()).add(pod.metadata.uid ?? ''));
  }
  return bound;
}
