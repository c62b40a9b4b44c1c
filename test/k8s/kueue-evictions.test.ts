import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { type GatedAgent, startGatedAgent } from './gated-agent.ts';
import { KueueCluster } from './kueue-cluster.ts';
import { kubernetesAvailable } from './testbed.ts';

const kubernetes = kubernetesAvailable();

describe.skipIf(!kubernetes.ok)(`evictions on a real Kueue (${kubernetes.why})`, () => {
  let queues: KueueCluster;
  let agent: GatedAgent | undefined;

  beforeAll(async () => {
    queues = await KueueCluster.start('evictions');
  });
  afterEach(async () => {
    await agent?.close();
    agent = undefined;
    await queues.clear();
  });
  afterAll(async () => {
    await queues?.close();
  });

  it('without the gate Kueue starts an evicted payload a second time, whatever backoffLimit says', async () => {
    const low = await queues.submit('one', { script: 'sleep 60', gate: false });
    await until('it runs', () => queues.starts(low) === 1);
    const high = await queues.submit('one', { urgent: true, gate: false });
    await until('the urgent one is complete', () => queues.hasCondition(high, 'Complete'));
    await until('it ran twice', () => queues.starts(low) === 2);
    expect((await queues.job(low)).status?.failed ?? 0).toBe(0);
  });

  it('an evicted run ends as preempted, starts once, and asks for no quota', async () => {
    agent = await startGatedAgent(queues.client);
    const low = await queues.submit('one', { script: 'sleep 60' });
    await until('it runs', () => queues.starts(low) === 1);
    const high = await queues.submit('one', { urgent: true, script: 'sleep 1' });
    const end = await until('it has ended', () => {
      const seen = agent!.eviction(low);
      return seen?.kind === 'preempted' && seen.confirmed ? seen : undefined;
    });
    expect(end.detail).toMatch(/^Kueue evicted it \(Preempted, InClusterQueue\): Preempted to accommodate a workload/);
    await until('the urgent one is complete', () => queues.hasCondition(high, 'Complete'));
    await until('nothing waits or runs', async () => {
      const { status } = await queues.queue('one');
      return status?.pendingWorkloads === 0 && status.admittedWorkloads === 0;
    });
    await pause(2000);
    expect([queues.starts(low), queues.starts(high)]).toEqual([1, 1]);
  });

  it('an eviction and a second admission while the agent is away start nothing, and are seen afterwards', async () => {
    agent = await startGatedAgent(queues.client);
    const low = await queues.submit('one', { script: 'sleep 60' });
    await until('it runs', () => queues.starts(low) === 1);
    await agent.close();
    const high = await queues.submit('one', { urgent: true, gate: false, script: 'sleep 1' });
    await until('the urgent one is complete', () => queues.hasCondition(high, 'Complete'));
    await until('Kueue has started the evicted one again', async () =>
      (await queues.podsOf(low)).some(({ spec }) => spec.schedulingGates),
    );
    agent = await startGatedAgent(queues.client);
    await until('it has ended', () => agent!.eviction(low)?.kind === 'preempted');
    await until('its new pod is gone', async () => (await queues.podsOf(low)).length === 0);
    expect(queues.starts(low)).toBe(1);
  });

  it('an eviction before the start costs nothing: the run waits and starts once', async () => {
    const low = await queues.submit('one');
    await until('its pod is made and held', async () => (await queues.podsOf(low)).length === 1);
    const high = await queues.submit('one', { urgent: true, gate: false, script: 'sleep 1' });
    await until('the urgent one runs', () => queues.starts(high) === 1);
    agent = await startGatedAgent(queues.client);
    await until('the eviction is shown', () => agent!.state(low)?.state === 'Evicted');
    expect(agent.eviction(low)).toEqual({ kind: 'none' });
    await until('it is complete', () => queues.hasCondition(low, 'Complete'));
    expect(queues.starts(low)).toBe(1);
  });

  it('evictions racing with starts: no payload starts twice, and each run is complete or preempted', async () => {
    agent = await startGatedAgent(queues.client);
    const low = await Promise.all([...Array(12).keys()].map(() => queues.submit('few', { script: 'sleep 1' })));
    const urgent = await Promise.all(
      [...Array(12).keys()].map(async (n) => {
        await pause(n * 700);
        return queues.submit('few', { urgent: true, gate: false });
      }),
    );
    for (const name of urgent) await until(`${name} is complete`, () => queues.hasCondition(name, 'Complete'));
    const ended = async (name: string) => {
      if (await queues.hasCondition(name, 'Complete')) return 'complete';
      const eviction = agent!.eviction(name);
      return eviction?.kind === 'preempted' && eviction.confirmed && 'preempted';
    };
    const ends: string[] = [];
    for (const name of low) ends.push(await until(`${name} has ended`, () => ended(name)));
    await until('no quota is used', async () => (await queues.reserved('few')) === '0');
    await pause(1000);
    expect(
      low.filter(
        (name, index) => queues.starts(name) !== 1 && !(ends[index] === 'preempted' && queues.starts(name) === 0),
      ),
    ).toEqual([]);
    expect(ends, 'no eviction hit a started run').toContain('preempted');
  });
});
