import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CapacityFacts, capacityReport } from './capacity.ts';
import { parseClusterConfig } from './parse/config-values.ts';
import { parseListing } from './parse/listing.ts';
import { parseNodes } from './parse/nodes.ts';
import { parsePartitions } from './parse/partitions.ts';
import { readFixture } from './read-fixture.ts';

const jobs = parseListing(readFixture('squeue/22.05/all-kinds'), 'nonce:');
const facts: CapacityFacts = {
  config: parseClusterConfig(readFixture('scontrol-config/22.05/with-accounting')),
  partitions: parsePartitions(readFixture('scontrol-partition/22.05/three-overlapping')),
  nodes: parseNodes(readFixture('scontrol-node/22.05/used-drained-and-down')),
  jobs,
  allowed: null,
  nowMs: 1_795_271_520_000,
};

test('the configuration', () => {
  expect(facts.config).toMatchObject({
    clusterName: 'north',
    version: '22.05.8',
    maxArraySize: 10_001,
    minJobAgeSeconds: 300,
    hasAccounting: true,
    privateData: [],
  });
  expect(parseClusterConfig(readFixture('scontrol-config/22.05/no-accounting'))).toMatchObject({
    maxJobCount: 3,
    hasAccounting: false,
  });
  expect(parseClusterConfig('PrivateData             = jobs,nodes\n').privateData).toEqual(['jobs', 'nodes']);
});

describe('a cluster with one node in use, one down and one drained', () => {
  const report = capacityReport(facts);
  const pool = (name: string) => report.pools.find((each) => each.name === name)!;

  test('counts each node once, and nothing of the unusable as free', () => {
    expect(report).toMatchObject({
      total: { nodes: 3, cpus: 12, memoryMiB: 24_000, gpus: 6 },
      free: { nodes: 0, cpus: 1, gpus: 2 },
    });
    expect(report.notes).toEqual(['2 of 3 nodes take no jobs (down, drained or reserved)']);
  });

  test('partitions: state, limits, what is left on one node', () => {
    expect(pool('short')).toMatchObject({
      up: true,
      isDefault: false,
      maxWalltimeSeconds: 300,
      defaultWalltimeSeconds: 300,
      maxNodesPerJob: 1,
      maxCpusPerNode: 2,
      maxMemoryMiBPerNode: 4000,
      total: { nodes: 1 },
      largestNode: { cpus: 4, memoryMiB: 8000, gpus: 2 },
    });
    expect(pool('batch')).toMatchObject({
      isDefault: true,
      maxWalltimeSeconds: 86_400,
      defaultWalltimeSeconds: 600,
      maxNodesPerJob: null,
      maxMemoryMiBPerNode: null,
    });
    expect(pool('closed')).toMatchObject({ up: false, nativeState: 'DRAIN', free: { cpus: 0 } });
  });

  test('demand ahead: waiting tasks of arrays count one by one, held jobs do not', () => {
    // 18 array tasks, one requeued, one that begins later, one of 64 CPUs for two partitions; one is held.
    expect(pool('batch')).toMatchObject({ runningJobs: 4, waitingJobs: 21, waitingCpus: 18 + 1 + 1 + 64 });
    expect(pool('batch').waitingCpuSeconds).toBe(18 * 5400 + 600 + 600 + 64 * 600);
    expect(pool('short')).toMatchObject({ waitingJobs: 1, waitingCpus: 64 });
    expect(report).toMatchObject({ runningJobs: 4, waitingJobs: 22 });
  });

  test('steps: when running jobs reach their limits', () => {
    expect(pool('batch').steps.map(({ afterSeconds, cpus, gpus }) => [afterSeconds, cpus, gpus])).toEqual([
      [298, 2, 2],
      [5397, 1, 0],
      [5397, 1, 0],
      [5397, 1, 0],
    ]);
  });

  test('only the partitions that the agent may use, and those it may not find', () => {
    const narrow = capacityReport({ ...facts, allowed: ['short', 'nowhere'] });
    expect(narrow.pools.map(({ name }) => name)).toEqual(['short']);
    expect(narrow.notes).toContain("partition 'nowhere' of the agent's configuration does not exist");
  });

  test('says when others are hidden', () => {
    const config = { ...facts.config, privateData: ['jobs'] };
    expect(capacityReport({ ...facts, config }).notes).toContain("other users' jobs may be hidden (PrivateData=jobs)");
  });
});

test.each([
  ['IDLE', true],
  ['MIXED+PLANNED', true],
  ['ALLOCATED+COMPLETING', true],
  ['IDLE+CLOUD+POWERED_DOWN', true],
  ['IDLE*', false],
  ['IDLE+DRAIN', false],
  ['IDLE+NOT_RESPONDING', false],
  ['DOWN*+DRAIN', false],
  ['DOWN', false],
  ['MIXED+MAINTENANCE', false],
  ['IDLE+RESERVED', false],
  ['UNKNOWN', false],
])('a node that is %s takes jobs: %s', (state, usable) => {
  expect(
    parseNodes(`NodeName=a CPUTot=4 CPUAlloc=0 RealMemory=100 AllocMem=0 State=${state} Partitions=p\n`),
  ).toMatchObject([{ usable, freeCpus: usable ? 4 : 0 }]);
});

test('what an administrator writes into a reason changes no number', () => {
  const [node] = parseNodes(
    'NodeName=a CPUTot=4 CPUAlloc=1 RealMemory=100 AllocMem=0 State=IDLE Partitions=p Reason=see CPUTot=400 State=DOWN [root@x]\n',
  );
  expect(node).toMatchObject({ cpus: 4, freeCpus: 3, usable: true });
});

test('any number of running jobs gives at most 32 ascending steps that add up', () => {
  const running = jobs.find((job) => job.state === 'RUNNING')!;
  const ends = fc.array(
    fc.record({
      endAtMs: fc.integer({ min: facts.nowMs - 1e6, max: facts.nowMs + 1e9 }),
      cpus: fc.integer({ min: 1, max: 64 }),
    }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(ends, (list) => {
      const report = capacityReport({
        ...facts,
        jobs: list.map((each, at) => ({ ...running, ...each, jobId: String(at) })),
      });
      const { steps } = report.pools.find(({ name }) => name === 'batch')!;
      expect(steps.length).toBeLessThanOrEqual(32);
      expect(steps.map((step) => step.afterSeconds)).toEqual(
        steps.map((step) => step.afterSeconds).sort((left, right) => left - right),
      );
      expect(steps.reduce((sum, step) => sum + step.cpus, 0)).toBe(list.reduce((sum, each) => sum + each.cpus, 0));
    }),
  );
});

test('every text of scontrol gives nodes and partitions', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseNodes(`NodeName=${text}`);
      parsePartitions(`PartitionName=${text}`);
      parseClusterConfig(text);
    }),
  );
});
