import { openKubeClient } from '@switchyard/agent-k8s/client/kube-client.ts';
import { kubeFingerprint } from '@switchyard/agent-k8s/fingerprint.ts';
import { HOLD_FINALIZER } from '@switchyard/agent-k8s/names.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { JOBS, payload } from '../k8s/kube-site.ts';
import {
  askUntilLost,
  CPUS,
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
import { kubernetesAvailable } from '../k8s/testbed.ts';
import { JobBook } from '../support/job-book.ts';
import { until } from '../support/until.ts';

const kubernetes = kubernetesAvailable();
/** Everything that the agent of a cluster without Kueue asks of the API server, under the shipped rights: what jobs make it ask, … */
const OF_JOBS = [
  ...['create jobs', 'get jobs', 'patch jobs', 'delete jobs', 'create services'],
  ...['get pods', 'list pods', 'patch pods', 'delete pods', 'get pods/log'],
];
/** … what it follows, whatever happens, … */
const FOLLOWED = ['jobs', 'pods', 'events', 'nodes', 'resourcequotas'];
/** … and what it asks at the start. */
const ASKED_ONCE = ['get namespaces', 'get /version'];
const OF_FOLLOWING = requestsOfFollowing(FOLLOWED);
const likelihood = (name: string, dropped: number) => {
  // What follows a kind waits ever longer after each failure in a row.
  if (OF_FOLLOWING.includes(name) && name !== 'list pods') return 0.4;
  if (dropped >= TIMES) return 0.05;
  // Few are asked of each gang.
  return name === 'patch pods' || name === 'create services' ? 0.85 : 0.7;
};
const HALF = 7;

/** The request went through and its answer was lost: of every verb and kind that the agent uses, 100 times each. */
describe.skipIf(!kubernetes.ok)(`lost answers between the agent and the API server (${kubernetes.why})`, () => {
  let lossy: LossySite;

  beforeAll(async () => {
    lossy = await startLossySite({ seed: 11 });
  });
  afterAll(() => lossy?.close());

  test(`${TIMES} lost answers of each: no job lost, no payload started twice, every cancelled one really ended`, async () => {
    const { federation, proxy, random, dropped, lacking } = lossy;
    const { api } = federation;
    const ledger = lossy.shared.ledger('lossy');
    const book = new JobBook(api, ledger);
    const waiting = lossy.waiting(book, OF_JOBS);
    const lacks = (...names: string[]) => lacking(names).length > 0;

    proxy.decide = losing(random, (name) => likelihood(name, dropped(name)));
    const quick = payload(ledger, 'echo out; sleep 1; echo put');
    const slow = payload(ledger, 'while :; do echo out; sleep 1; done');
    const long = [
      ...(await book.submit(2, smallJob(slow, { cpusPerTask: HALF }), { state: 'cancelled' })),
      ...(await book.submit(3, smallJob(slow), { state: 'cancelled' })),
    ];
    await until('the long jobs run', () => long.every((number) => ledger.starts().has(`${number}.0`)), waiting);
    // Their agent ends, and these wait for whole nodes, until the long ones have gone.
    await federation.agents.get('lossy')!.end('SIGKILL');
    const short = payload(ledger);
    const whole = [
      ...(await book.submit(4, smallJob(short, { cpusPerTask: CPUS }), { state: 'succeeded' })),
      ...(await book.submit(2, smallJob(perRank(short), { cpusPerTask: CPUS, nodes: 2 }), { state: 'succeeded' })),
    ];
    federation.startAgent('lossy');

    const runSome = async () => {
      for (let wave = 0; wave < 40 && lacks('patch pods', 'get jobs', 'get pods'); wave += 1) {
        const numbers = [
          ...(await book.submit(2, smallJob(quick), { state: 'succeeded' })),
          ...(await book.submit(2, smallJob(perRank(quick), { nodes: 2 }), { state: 'succeeded' })),
        ];
        await book.ended(numbers, waiting);
      }
    };
    const readOutputs = async () => {
      while (lacks('get pods/log')) for (const number of long) await api.call('GET', `/v1/jobs/${number}/logs`);
    };
    await Promise.all([
      giveBack(federation, whole, () => lacks('create jobs', 'create services', 'patch jobs', 'delete pods')),
      runSome(),
      readOutputs(),
    ]);
    for (const number of long) await api.call('POST', `/v1/jobs/${number}/cancel`, {});
    await until('all jobs end', async () => (await book.open()).length === 0, waiting);
    await until('what is over is deleted', () => lacking(OF_JOBS).length === 0, waiting);

    await book.check();
    type Pods = { items: { status: { phase: string } }[] };
    const pods = async () => (await lossy.site.kube.api<Pods>('GET', `/api/v1/namespaces/${JOBS}/pods`)).body;
    await until(
      'no pod is held any more',
      async () => !JSON.stringify((await pods()).items).includes(HOLD_FINALIZER),
      waiting,
    );
    const left = await pods();
    expect(left.items.filter(({ status }) => ['Pending', 'Running'].includes(status.phase))).toEqual([]);
    expect((await givenBack(federation, whole)).sort()).toEqual([...whole].sort());
    checkOtherFaults(lossy, ['jobs', 'pods']);
  }, 900_000);

  test(`lists and watches, ${TIMES} lost answers of each: whoever follows a kind ends with what the server has`, async () => {
    await followersEndWithTheTruth(lossy, FOLLOWED);
  }, 300_000);

  test(`what is asked once at the start, ${TIMES} lost answers of each`, async () => {
    const client = await openKubeClient({ kubeconfig: await lossy.behindProxy() });
    const seen = new Set<string>();
    await askUntilLost(lossy, ASKED_ONCE, async () => {
      seen.add(await kubeFingerprint(client));
      await client.request({ verb: 'GET', path: '/version' });
    });
    await client.close();
    expect(seen.size).toBe(1);
  });
});
