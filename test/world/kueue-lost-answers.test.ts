import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, KubeList } from '@switchyard/agent-k8s/api-types.ts';
import { kubeBackend } from '@switchyard/agent-k8s/backend/kube-backend.ts';
import { openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { kubernetesConfigSchema } from '@switchyard/agent-k8s/config.ts';
import { detectKueue } from '@switchyard/agent-k8s/kueue/detect-kueue.ts';
import type { ClusterQueue } from '@switchyard/agent-k8s/kueue/kueue-types.ts';
import { RUN_LABEL } from '@switchyard/agent-k8s/names.ts';
import { START_CLAIM_ANNOTATION } from '@switchyard/agent-k8s/start/start-claim.ts';
import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Asked } from '../k8s/fault-proxy.ts';
import { pathOfKind } from '../k8s/follow-kind.ts';
import { JOBS, payload } from '../k8s/kube-site.ts';
import {
  askUntilLost,
  checkOtherFaults,
  followersEndWithTheTruth,
  giveBack,
  givenBack,
  type LossySite,
  losing,
  perRank,
  requestsOfFollowing,
  smallJob,
  startLossySite,
  TIMES,
} from '../k8s/lossy.ts';
import { kueueQueue } from '../k8s/testbed/test-jobs.ts';
import { kubernetesAvailable } from '../k8s/testbed.ts';
import { JobBook } from '../support/job-book.ts';
import { until } from '../support/until.ts';

const kubernetes = kubernetesAvailable();
const KUEUE = '/apis/kueue.x-k8s.io';
const QUEUE = 'few';
/** Of the 24 CPUs that the nodes have; and more than is left of it while some jobs run and run. */
const QUOTA = 18;
const TOO_MUCH = 9;
/** What only a queued job makes the agent ask, and what means more than without Kueue, by what it writes. */
const CLAIM = { start: 'patch jobs (claims the start)', never: 'patch jobs (claims that it never starts)' };
const GATE = 'patch pods (lets a pod start)';
const OF_ONE = 'list workloads (of one Job)';
const OF_STARTS = [CLAIM.start, GATE, 'get jobs'];
const OF_WITHDRAWALS = ['create jobs', CLAIM.never, OF_ONE, 'patch workloads'];
const OF_JOBS = [...OF_STARTS, ...OF_WITHDRAWALS, 'delete jobs'];
const OF_CAPACITY = ['list localqueues', 'list clusterqueues', 'list cohorts'];
const ASKED_ONCE = [`get ${KUEUE}`, `get ${KUEUE}/v1beta1`];
/** Everything that it follows: with Kueue also the Workloads. */
const OF_FOLLOWING = requestsOfFollowing(['jobs', 'pods', 'events', 'nodes', 'resourcequotas', 'workloads']);

const nameOf = ({ verb, resource, path, body }: Asked) => {
  const name = `${verb} ${resource}`;
  if (name === 'list workloads') return path.includes('labelSelector=') ? OF_ONE : name;
  if (name === 'patch jobs' && body.includes(`"${START_CLAIM_ANNOTATION}":"started:`)) return CLAIM.start;
  if (name === 'patch jobs' && body.includes(`"${START_CLAIM_ANNOTATION}":"never"`)) return CLAIM.never;
  return name === 'patch pods' && body.includes('schedulingGates') ? GATE : name;
};

const likelihood = (name: string, dropped: number) => {
  if (OF_JOBS.includes(name) && dropped >= TIMES) return 0.05;
  // Few are asked of each job; of the others more would only take longer, for what fails waits ever longer too.
  if (name === CLAIM.start || name === GATE) return 0.8;
  if (OF_JOBS.includes(name)) return 0.6;
  // What follows a kind waits ever longer after each failure in a row.
  return OF_FOLLOWING.includes(name) || ASKED_ONCE.includes(name) ? 0.4 : 0.1;
};

/** The same as without Kueue, for all that comes with it. */
describe.skipIf(!kubernetes.ok)(`lost answers where jobs go through a queue of Kueue (${kubernetes.why})`, () => {
  let lossy: LossySite;

  beforeAll(async () => {
    lossy = await startLossySite({
      seed: 17,
      config: { queue: QUEUE, allowedPriorityClasses: ['urgent'] },
      setUp: async (kube) => {
        await kube.startKueue();
        const kueue = (kind: string, name: string, more: object) => ({
          ...{ apiVersion: 'kueue.x-k8s.io/v1beta1', kind, metadata: { name } },
          ...more,
        });
        const more = { cohort: 'all', preemption: { withinClusterQueue: 'LowerPriority' } };
        await kube.apply([
          kueue('Cohort', 'all', { spec: {} }),
          kueue('WorkloadPriorityClass', 'urgent', { value: 100 }),
          ...kueueQueue(QUEUE, String(QUOTA), { namespace: JOBS, more }),
        ]);
      },
    });
    lossy.proxy.nameOf = nameOf;
  });
  afterAll(() => lossy?.close());

  test(`${TIMES} lost answers of each: no job lost, no payload started twice, no Workload and no quota left behind`, async () => {
    const { federation, proxy, random, dropped, lacking, site } = lossy;
    const { api } = federation;
    const ledger = lossy.shared.ledger('lossy');
    const book = new JobBook(api, ledger);
    const waiting = lossy.waiting(book, OF_JOBS);
    const lacks = (names: readonly string[]) => lacking(names).length > 0;
    const large = { cpusPerTask: TOO_MUCH };
    const quick = payload(ledger, 'sleep 1');
    const endless = payload(ledger, 'while :; do sleep 1; done');
    const haveStarted = (numbers: readonly number[]) =>
      until('they run', () => numbers.every((number) => ledger.starts().has(`${number}.0`)), waiting);
    const cancel = (numbers: readonly number[]) =>
      Promise.all(numbers.map((number) => api.call('POST', `/v1/jobs/${number}/cancel`, {})));

    proxy.decide = losing(random, (name) => likelihood(name, dropped(name)));
    // Kueue takes all that runs back for one that is urgent.
    const preempted = { state: 'failed', reason: 'preempted' } as const;
    const evicted = await book.submit(3, smallJob(endless, { cpusPerTask: QUOTA / 3 }), preempted);
    await haveStarted(evicted);
    const native = { kubernetes: { kueuePriorityClassName: 'urgent' } };
    const everything = smallJob(perRank(quick), { cpusPerTask: QUOTA / 2, nodes: 2 });
    const urgent = await book.submit(1, { ...everything, native }, { state: 'succeeded' });
    await book.ended([...evicted, ...urgent], waiting);

    const long = await book.submit(2, smallJob(endless, { cpusPerTask: 5 }), { state: 'cancelled' });
    await haveStarted(long);
    // Their agent ends, and these wait for their quota until the long ones have gone.
    await federation.agents.get('lossy')!.end('SIGKILL');
    const short = payload(ledger);
    const array = { tasks: '1-2' };
    const waiters = [
      ...(await book.submit(4, smallJob(short, large), { state: 'succeeded' })),
      ...(await book.submit(2, { ...smallJob(short, large), array }, { state: 'succeeded' })),
      ...(await book.submit(2, smallJob(perRank(short), { cpusPerTask: 5, nodes: 2 }), { state: 'succeeded' })),
    ];
    federation.startAgent('lossy');

    const one = smallJob(quick);
    const gang = smallJob(perRank(quick), { nodes: 2 });
    const runSome = async (...jobs: readonly JobSpecInput[]) => {
      for (let wave = 0; wave < 12 && lacks(OF_STARTS); wave += 1) {
        const made = await Promise.all(jobs.map((job) => book.submit(1, job, { state: 'succeeded' })));
        await book.ended(made.flat(), waiting);
      }
    };
    const cancelSome = async () => {
      for (let wave = 0; wave < 12 && lacks(OF_WITHDRAWALS); wave += 1) {
        const numbers = await book.submit(4, smallJob(short, large), { state: 'cancelled', starts: 0 });
        await until(
          'one waits in the queue',
          async () => (await api.job(numbers[0]!)).nativeState === 'Queued',
          waiting,
        );
        await cancel(numbers);
        await book.ended(numbers, waiting);
      }
    };
    await Promise.all([
      giveBack(federation, waiters, () => lacks(OF_WITHDRAWALS)),
      cancelSome(),
      ...[runSome(one, one), runSome(one, one), runSome(one, gang), runSome(one, { ...one, array: { tasks: '1-3' } })],
    ]);
    await cancel(long);
    await until('all jobs end', async () => (await book.open()).length === 0, waiting);
    await until('what is over is deleted', async () => (await left()) === '0 jobs, 0 pods, 0 workloads', {
      ...waiting,
      describe: async () => [await left(), await whoseJobs(), await waiting.describe()],
    });
    await until('no quota is used', async () => Object.values(await usedQuota()).every((used) => used === 0), {
      describe: usedQuota,
    });

    expect(lacking(OF_JOBS)).toEqual([]);
    await book.check();
    expect((await givenBack(federation, waiters)).sort()).toEqual([...waiters].sort());
    for (const name of [...OF_JOBS, 'list workloads', 'watch workloads'])
      expect([name, statuses(name)]).toEqual([name, expect.toSatisfy((times: number) => times > 0)]);
    checkOtherFaults(lossy, ['jobs', 'pods', 'workloads']);

    async function left(): Promise<string> {
      const count = async (kind: string) =>
        (await site.kube.api<KubeList<object>>('GET', pathOfKind(kind))).body.items.length;
      return `${await count('jobs')} jobs, ${await count('pods')} pods, ${await count('workloads')} workloads`;
    }
    async function whoseJobs(): Promise<unknown[]> {
      const { items } = (await site.kube.api<KubeList<Job>>('GET', pathOfKind('jobs'))).body;
      const runOf = async (id: string | undefined) =>
        (await federation.query(`SELECT * FROM runs WHERE id = '${id}'`)).rows[0];
      return Promise.all(
        items.map(async ({ metadata, spec, status }) => ({
          ...{ metadata, suspend: spec.suspend, status },
          run: await runOf(metadata.labels?.[RUN_LABEL]),
        })),
      );
    }
    async function usedQuota(): Promise<Record<string, number>> {
      const { status } = (await site.kube.api<ClusterQueue>('GET', `${KUEUE}/v1beta1/clusterqueues/${QUEUE}`)).body;
      const resources = status?.flavorsReservation?.[0]?.resources ?? [];
      const totals = resources.map(({ name, total }) => [name, Number(total)]);
      return {
        ...Object.fromEntries(totals),
        waiting: status?.pendingWorkloads,
        reserving: status?.reservingWorkloads,
      };
    }
  }, 900_000);

  /** How often an error came instead of the answer. */
  function statuses(name: string): number {
    const { faults } = lossy.proxy;
    return (faults.get(`refuse ${name}`) ?? 0) + (faults.get(`answer_after ${name}`) ?? 0);
  }

  test(`lists and watches of Workloads, ${TIMES} lost answers of each: whoever follows them ends with what the server has`, async () => {
    await followersEndWithTheTruth(lossy, ['workloads']);
  }, 300_000);

  test(`which Kueue there is, ${TIMES} lost answers of each question: always the same answer`, async () => {
    const client = await openKubeClient({ kubeconfig: await lossy.behindProxy() });
    const seen = new Set<string>();
    await askUntilLost(lossy, ASKED_ONCE, async () => seen.add(JSON.stringify(await detectKueue(client))));
    await client.close();
    expect([...seen]).toEqual([JSON.stringify({ version: 'v1beta1', cohorts: true })]);
  });

  test(`what is left of the quota, ${TIMES} lost answers of each: no report says what never was, and the last one what is`, async () => {
    const { site } = lossy;
    const { kubernetes: settings } = await site.settings({ kubeconfig: await lossy.behindProxy(), queue: QUEUE });
    const config = kubernetesConfigSchema.parse(settings);
    const stateDir = join(site.kube.dir, 'asks');
    mkdirSync(stateDir);
    const client = await openKubeClient(config);
    const backend = await kubeBackend({ client, config, stateDir, cluster: 'asks', federation: 'asks' });
    const quota = async () => {
      const { pools } = await backend.capacity();
      return pools.find(({ name }) => name === QUEUE)?.total.cpus;
    };
    expect(await quota()).toBe(QUOTA);
    await site.kube.apply(kueueQueue(QUEUE, String(QUOTA - 1), { namespace: JOBS, more: { cohort: 'all' } }));
    const seen = new Set<number | undefined>();
    await askUntilLost(lossy, OF_CAPACITY, async () => seen.add(await quota()));
    // Old lists are among the answers.
    expect([...seen].sort()).toEqual([QUOTA - 1, QUOTA]);
    expect(await quota()).toBe(QUOTA - 1);
    for (const name of OF_CAPACITY) {
      expect([name, statuses(name)]).toEqual([name, expect.toSatisfy((times: number) => times > 5)]);
      expect(lossy.proxy.faults.get(`stale ${name}`)).toBeGreaterThan(5);
    }
    await backend.close();
  });
});
