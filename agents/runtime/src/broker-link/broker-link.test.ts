import { createHash, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { canonicalJson } from '@switchyard/core/spec/canonical-json.ts';
import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AgentConfig } from '../agent-config.ts';
import type { Backend, KnownRun, RunOrder, RunStatus, StrayJob } from '../backend.ts';
import { openHighestPlacement } from '../highest-placement.ts';
import { type BrokerLink, startBrokerLink } from './broker-link.ts';
import { channelCredentials } from './credentials.ts';
import { createObservationOutbox } from './observation-outbox.ts';
import { type BrokerStub, brokerStub } from './testing/broker-stub.ts';

let broker: BrokerStub;
let stateDir: string;
let link: BrokerLink;
let cluster: ReturnType<typeof fakeBackend>;
const said: string[] = [];

beforeEach(async () => {
  broker = await brokerStub();
  stateDir = mkdtempSync(join(tmpdir(), 'yard-link-'));
  cluster = fakeBackend();
  said.length = 0;
});
afterEach(async () => {
  await link?.stop();
  broker.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

async function connect(changes: Partial<AgentConfig> = {}): Promise<void> {
  const note = (sentence: string) => said.push(sentence);
  link = startBrokerLink({
    config: config(changes),
    backend: cluster.backend,
    nativeOptions: ['qos'],
    version: '9.9',
    highest: await openHighestPlacement(stateDir),
    log: { info: note, warn: note, error: note },
  });
}

function config(changes: Partial<AgentConfig> = {}): AgentConfig {
  return {
    ...{ cluster: 'north', kind: 'slurm', broker: broker.address, token: 'yc_secret', stateDir, defaultWorkdir: '/w' },
    ...{ backlog: 20, filesystems: [{ id: 's', pathPrefix: '/s' }], labels: { site: 'uio' }, policy: {}, section: {} },
    warnings: [],
    ...changes,
  };
}

function status(runId: string, changes: Partial<RunStatus> = {}): RunStatus {
  return {
    ...{ runId, placementNumber: 5, placed: true, nativeId: '7', nativeSubmittedAtMs: 1, nativeState: 'PENDING' },
    ...{
      nativeReason: '',
      nativePool: 'main',
      started: '',
      startedAtMs: 0,
      ends: [],
      stdoutPath: '/o',
      stderrPath: '/o',
    },
    ...changes,
  };
}

/** A cluster in memory: what the link asked of it, and what it shall see next. */
function fakeBackend() {
  const known = new Map<string, KnownRun>();
  const calls: string[] = [];
  let changed: RunStatus[] = [];
  const control = {
    calls,
    known,
    strays: [] as StrayJob[],
    failure: '',
    orders: [] as { order: RunOrder; observedBefore: boolean }[],
    show: (...statuses: RunStatus[]) => {
      changed.push(...statuses);
    },
  };
  const report = {
    ...{ total: { nodes: 1, cpus: 4, memoryMiB: 9, gpus: 0 }, free: { nodes: 1, cpus: 4, memoryMiB: 9, gpus: 0 } },
    ...{
      runningJobs: 0,
      waitingJobs: 0,
      pools: [],
      maxArrayIndex: null,
      submitSlotsLeft: 17,
      software: 'x 1',
      notes: [],
    },
  };
  const backend: Backend = {
    kind: 'slurm',
    fingerprint: async () => 'slurm:x@y',
    capacity: async () => report,
    concurrentSubmits: 8,
    submit: async (order, { observedBefore }) => {
      control.orders.push({ order, observedBefore });
      return status(order.runId, { nativeId: '77' });
    },
    observe: async () => {
      if (control.failure !== '') throw new Error(control.failure);
      const now = { changed, strays: control.strays };
      changed = [];
      return now;
    },
    withdraw: async (runId) => {
      calls.push(`withdraw ${runId}`);
      return status(runId, { ends: [{ outcome: 'withdrawn', tasks: '0' }] });
    },
    cancel: async (runId) => {
      calls.push(`cancel ${runId}`);
      return status(runId, { ends: [{ outcome: 'cancelled', reason: 'cancelled_by_user', tasks: '0' }] });
    },
    forget: async (runIds) => {
      calls.push(`forget ${runIds.length}`);
      return runIds;
    },
    cancelStray: async ({ nativeId }) => {
      calls.push(`stray ${nativeId}`);
    },
    readLog: async ({ offset, limitBytes, stream, rank }) => ({
      data: Buffer.from(`${stream} ${offset} ${limitBytes} ${rank}`),
      end: true,
      problem: '',
    }),
    inventory: async () => [...known.values()],
    nextObserveMs: () => 20,
    onNews: () => {},
    logTails: async function* () {},
    close: async () => {},
  };
  return { ...control, backend, control };
}

function offer(runId: string, placementNumber = 9) {
  const parsed = validateJobSpec({ script: '#!/bin/sh\ntrue\n', name: 'ä' });
  if (!parsed.ok) throw new Error('spec');
  const specJson = canonicalJson(parsed.spec);
  return {
    ...{ runId, placementNumber, jobId: randomUUID(), jobNumber: 3, attempt: 1, tasks: '0', specJson, pool: '' },
    specHash: createHash('sha256').update(specJson).digest('hex'),
    ...{ observedBefore: false, groupPath: 'g', owner: 'ada' },
  };
}

const observed = (runId: string, is: (run: { ends: unknown[]; nativeState: string }) => boolean = () => true) =>
  broker.expect('observations', ({ runs }) => runs.some((run) => run.runId === runId && is(run)));

describe('a session', () => {
  it('says who it is, then everything it has, then what its cluster can do', async () => {
    for (let at = 0; at < 1200; at += 1) {
      const runId = randomUUID();
      const order = { runId, jobId: runId, jobNumber: at, attempt: 1, tasks: '0', specHash: 'h' } as KnownRun['order'];
      cluster.known.set(runId, { order, status: status(runId), forgotten: at === 0 });
    }
    await connect();
    expect(await broker.expect('hello')).toEqual({
      ...{ protocolVersion: 1, cluster: 'north', kind: 'slurm', fingerprint: 'slurm:x@y', agentVersion: '9.9' },
      ...{
        highestPlacementNumber: 0,
        filesystems: [{ id: 's', pathPrefix: '/s' }],
        labels: { site: 'uio' },
        backlog: 20,
      },
      allowedNativeOptions: ['qos'],
    });
    expect(broker.tokens).toEqual(['Bearer yc_secret']);
    expect((await broker.expect('capacity')).submitSlotsLeft).toBe(17);
    const parts = broker.received.flatMap((message) => (message.$case === 'inventory' ? [message.value] : []));
    expect(parts.map(({ runs, last }) => [runs.length, last])).toEqual([
      [500, false],
      [500, false],
      [200, true],
    ]);
    expect(parts[0]!.runs[0]).toMatchObject({ forgotten: true, specHash: 'h', observation: { placed: true } });
  });

  it('with the broker of another federation does nothing, and says why once', async () => {
    await connect({ federation: 'mine' });
    await broker.expect('hello');
    broker.send({ $case: 'offer', value: offer(randomUUID()) });
    await expect.poll(() => broker.tokens.length, { timeout: 10_000 }).toBeGreaterThan(3);
    const sentences = said.filter((each) => each.includes('federation'));
    expect(sentences).toEqual([expect.stringContaining(`the broker at ${broker.address} is fedx`)]);
    expect(sentences[0]).toContain("this agent's file is of federation mine");
    expect(new Set(broker.received.map(({ $case }) => $case))).toEqual(new Set(['hello']));
    expect(cluster.orders).toEqual([]);
    expect((await openHighestPlacement(stateDir)).value()).toBe(0);
    expect(link.problem()).toContain('no session');
  });

  it('with the broker of the federation that its file names is as any other', async () => {
    await connect({ federation: 'fedx' });
    await broker.expect('inventory');
  });

  it('sends an inventory without runs too, but none while the queue cannot be read', async () => {
    cluster.control.failure = 'no answer';
    await connect();
    await broker.expect('hello');
    await expect.poll(() => said.join()).toContain('no answer');
    expect(broker.received.map(({ $case }) => $case)).toEqual(['hello']);
    cluster.control.failure = '';
    expect(await broker.expect('inventory')).toEqual({ runs: [], last: true });
  });

  it('asks a cluster that does not answer ever less often, whoever waits for the inventory', async () => {
    let asked = 0;
    cluster.backend.observe = async () => {
      asked += 1;
      await delay(1);
      throw new Error('no answer');
    };
    await connect();
    await broker.expect('hello');
    await delay(1000);
    expect(asked).toBeLessThan(4);
  });

  it('reports strays when they change', async () => {
    const facts = { runId: 'r', nativeState: 'PENDING', nativeSubmittedAtMs: 3 };
    cluster.control.strays = [
      { nativeId: '5', federation: 'fedx', ...facts },
      // Another broker's agent runs as the same user: its jobs are none of this broker's business.
      { nativeId: '6', federation: 'fedy', ...facts },
    ];
    await connect();
    expect((await broker.expect('strays')).strays.map(({ nativeId }) => nativeId)).toEqual(['5']);
    cluster.control.strays = [];
    await broker.expect('strays', ({ strays }) => strays.length === 0);
  });

  it('comes back after the stream is lost, and says everything again', async () => {
    await connect();
    await broker.expect('inventory');
    broker.received.length = 0;
    broker.dropSessions();
    await broker.expect('inventory');
    expect(broker.tokens).toHaveLength(2);
  });

  it('says once why the broker refuses it', async () => {
    broker.refusal = { code: 16, details: 'this token is of no cluster' };
    await connect();
    await expect.poll(() => said.join()).toContain('this token is of no cluster');
  });
});

describe('observations', () => {
  it('are repeated until they are acknowledged, one message at a time, the newest of each run', async () => {
    broker.acknowledges = false;
    await connect();
    await broker.expect('inventory');
    const [first, second] = [randomUUID(), randomUUID()];
    cluster.show(status(first));
    const { counter } = await observed(first);
    cluster.show(status(second, { nativeState: 'A' }));
    cluster.show(status(second, { nativeState: 'B' }));
    broker.acknowledges = true;
    broker.send({ $case: 'ack', value: { counter } });
    const next = await observed(second);
    expect(next.counter).toBe(counter + 1);
    expect(next.runs.map(({ runId, nativeState }) => [runId, nativeState])).toEqual([[second, 'B']]);
  });

  it('go out again when no acknowledgement comes', () => {
    const outbox = createObservationOutbox();
    outbox.put([status('a'), status('b')]);
    expect(outbox.take(0)).toMatchObject({ counter: 1, runs: [{ runId: 'a' }, { runId: 'b' }] });
    outbox.put([status('b', { nativeState: 'newer' })]);
    expect(outbox.take(10_000)).toBe(null);
    outbox.acknowledge(99);
    expect(
      outbox
        .take(16_000)!
        .runs.map(({ runId, nativeState }) => [runId, nativeState])
        .sort(),
    ).toEqual([
      ['a', 'PENDING'],
      ['b', 'newer'],
    ]);
    outbox.acknowledge(2);
    expect(outbox.take(16_000)).toBe(null);
  });
});

describe('what the broker asks', () => {
  beforeEach(async () => {
    await connect();
    await broker.expect('inventory');
  });

  it('an offer: the number is on disk, the run submitted, the observation sent at once', async () => {
    const runId = randomUUID();
    broker.send({ $case: 'offer', value: offer(runId) });
    expect((await observed(runId)).runs[0]).toMatchObject({ nativeId: '77', placed: true });
    expect(readFileSync(join(stateDir, 'highest-placement'), 'utf8')).toBe('9\n');
    expect(cluster.orders).toMatchObject([{ order: { runId, spec: { name: 'ä' } }, observedBefore: false }]);
  });

  it('an offer that cannot be honoured: a refusal, and nothing is submitted', async () => {
    const runId = randomUUID();
    broker.send({ $case: 'offer', value: { ...offer(runId), specHash: 'wrong' } });
    expect((await observed(runId)).runs[0]).toMatchObject({
      placed: false,
      ends: [{ outcome: 'refused', tasks: '0' }],
    });
    expect(cluster.orders).toEqual([]);
  });

  it('never disowns a run that is here already, whatever its offer looks like now', async () => {
    const runId = randomUUID();
    const order = { runId, jobId: runId, jobNumber: 1, attempt: 1, tasks: '0', specHash: 'h' } as KnownRun['order'];
    cluster.known.set(runId, { order, status: status(runId, { nativeState: 'RUNNING' }), forgotten: false });
    broker.send({ $case: 'offer', value: { ...offer(runId), specHash: 'wrong' } });
    expect((await observed(runId)).runs[0]).toMatchObject({ nativeState: 'RUNNING', ends: [] });
  });

  it('withdraw, cancel, forget, stray, number', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    broker.send({ $case: 'withdraw', value: { runId: first } });
    broker.send({ $case: 'cancel', value: { runId: second } });
    broker.send({ $case: 'cancelStray', value: { nativeId: '8', runId: first } });
    broker.send({ $case: 'placementNumber', value: { placementNumber: 400 } });
    for (const runId of [first, second]) broker.send({ $case: 'forget', value: { runIds: [runId] } });
    await observed(first, ({ ends }) => ends.length === 1);
    await observed(second, ({ ends }) => ends.length === 1);
    expect((await broker.expect('forgotten')).runIds).toEqual([first, second]);
    expect(cluster.calls.sort()).toEqual([`cancel ${second}`, 'forget 2', 'stray 8', `withdraw ${first}`]);
    await expect.poll(() => readFileSync(join(stateDir, 'highest-placement'), 'utf8')).toBe('400\n');
  });

  it('forgets what comes while it is still forgetting, repeats too', async () => {
    const [first, second] = [randomUUID(), randomUUID()];
    const slow = Promise.withResolvers<void>();
    const { forget } = cluster.backend;
    cluster.backend.forget = async (runIds) => {
      await slow.promise;
      return forget(runIds);
    };
    const ask = (runId: string) => broker.send({ $case: 'forget', value: { runIds: [runId] } });
    ask(first);
    await delay(60);
    ask(first);
    await delay(60);
    slow.resolve();
    ask(second);
    expect((await broker.expect('forgotten', ({ runIds }) => runIds.includes(second))).runIds).toContain(second);
  });

  it('gives the ends of outputs to the broker first, and forgets what the broker keeps', async () => {
    const [withTails, without] = [randomUUID(), randomUUID()];
    cluster.backend.logTails = async function* (runId) {
      if (runId !== withTails) return;
      for (const task of [1, 2]) yield { runId, task, rank: 0, offset: 5, data: Buffer.from(`of ${task}`) };
    };
    broker.send({ $case: 'forget', value: { runIds: [withTails, without] } });
    expect((await broker.expect('forgotten')).runIds).toEqual([without]);
    const first = await broker.expect('logTail');
    expect(first).toEqual({ runId: withTails, task: 1, rank: 0, offset: 5, data: Buffer.from('of 1'), last: false });
    await broker.expect('logTail', ({ task, last }) => task === 2 && last);
    expect(cluster.calls).toEqual(['forget 1']);
    broker.send({ $case: 'logTailsStored', value: { runIds: [withTails] } });
    await broker.expect('forgotten', ({ runIds }) => runIds.includes(withTails));
  });

  it('a piece of output, never more than a mebibyte', async () => {
    const value = {
      readId: 'r',
      runId: randomUUID(),
      task: 0,
      stream: 'stderr',
      offset: 7,
      limitBytes: 4_000_000_000,
      waitMs: 0,
      rank: 2,
    };
    broker.send({ $case: 'logRead', value });
    const chunk = await broker.expect('logChunk');
    expect([Buffer.from(chunk.data).toString(), chunk.offset, chunk.end]).toEqual(['stderr 7 1048576 2', 7, true]);
  });
});

describe('the way to the broker', () => {
  it('is in plain text to this host alone', () => {
    for (const address of ['127.0.0.1:1', 'localhost:1', '[::1]:1', '127.9.9.9:1'])
      expect(() => channelCredentials({ broker: address })).not.toThrow();
    for (const address of ['10.0.0.1:1', 'broker.example.org:1', 'localhost.example.org:1', '[2001:db8::1]:1'])
      expect(() => channelCredentials({ broker: address })).toThrow('tls.caFile');
    expect(() => channelCredentials({ broker: 'broker.example.org:1', tls: {} })).not.toThrow();
  });
});
