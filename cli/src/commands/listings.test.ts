import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Cluster } from '../api/api-types.ts';
import { displayWidth } from '../format/display-width.ts';
import { type FakeBroker, problem, startFakeBroker } from '../testing/fake-broker.ts';
import { runYard } from '../testing/run-yard.ts';
import { endedJob, sampleJob } from '../testing/sample-job.ts';

let broker: FakeBroker;
beforeEach(async () => {
  broker = await startFakeBroker();
});
afterEach(() => broker.close());

const nowMs = Date.parse('2026-11-21T12:04:12.000Z');
const yard = (...args: string[]) => runYard(args, { url: broker.url, nowMs });

const jobs = [
  sampleJob(),
  sampleJob({
    number: 41,
    name: 'evil \u001b[2J',
    state: 'queued',
    cluster: null,
    nativeId: null,
    waitReason: 'no cluster can take it now',
  }),
  endedJob({ number: 40, state: 'failed', reason: 'exit_code', exitCode: 3 }),
  sampleJob({ number: 39, unreachable: true }),
];

test('ps asks for what has not ended and shows why it waits', async () => {
  broker.on('GET /v1/jobs', () => ({ body: { items: jobs, nextCursor: null } }));
  const { code, stdout, stderr } = await yard('ps');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(broker.received[0]!.query.get('state')).toBe('held,queued,placing,placed,running');
  expect(stdout).toBe(
    [
      'NUMBER  NAME          STATE      CLUSTER  AGE    REASON',
      '42      relax         ●\u00a0running  north    4m12s  -',
      '41      evil_\\x1b[2J  ◌\u00a0queued   -        4m12s  no cluster can take it now',
      '40      relax         ✖\u00a0failed   north    4m12s  exit code 3',
      '39      relax         ?\u00a0running  north    4m12s  cluster out of sight, last known state',
      '',
    ].join('\n'),
  );
});

test('ps fits a terminal of 80 columns', async () => {
  const long = sampleJob({
    number: 1_234_567,
    name: 'n'.repeat(200),
    cluster: 'c'.repeat(63),
    waitReason: 'w '.repeat(90),
    state: 'placed',
  });
  broker.on('GET /v1/jobs', () => ({ body: { items: [long], nextCursor: null } }));
  const { stdout } = await runYard(['ps'], { url: broker.url, nowMs, columns: 80, env: { NO_COLOR: '1' } });
  for (const line of stdout.trimEnd().split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  expect(stdout).toContain('1234567');
});

test('ps colours on a terminal alone', async () => {
  broker.on('GET /v1/jobs', () => ({ body: { items: jobs, nextCursor: null } }));
  const csi = '\u001b[';
  expect((await runYard(['ps'], { url: broker.url, columns: 80 })).stdout).toContain(csi);
  expect((await runYard(['ps'], { url: broker.url, columns: 80, env: { NO_COLOR: '1' } })).stdout).not.toContain(csi);
  expect((await yard('ps')).stdout).not.toContain(csi);
});

test('ps reads page after page up to its limit and says that there is more', async () => {
  broker.on('GET /v1/jobs', ({ query }) => ({
    body: { items: [sampleJob({ number: query.has('cursor') ? 41 : 42 })], nextCursor: 'more' },
  }));
  const { stdout, stderr } = await yard('ps', '--limit', '2', '-o', 'name', '-l', 'a=1', '-l', 'b=2');
  expect(stdout).toBe('42\n41\n');
  expect(stderr).toContain('more than these 2');
  expect(broker.received.map(({ query }) => query.get('limit'))).toEqual(['2', '1']);
  expect(broker.received[0]!.query.getAll('label')).toEqual(['a=1', 'b=2']);
});

test('ps -o json and yaml give everything, with control characters csid', async () => {
  const job = sampleJob({ name: 'a\u009b31m\u001bb' });
  broker.on('GET /v1/jobs', () => ({ body: { items: [job], nextCursor: null } }));
  const json = (await yard('ps', '-o', 'json')).stdout;
  expect(JSON.parse(json)).toEqual([job]);
  const yaml = (await yard('ps', '-o', 'yaml')).stdout;
  const { parse } = await import('yaml');
  expect(parse(yaml)).toEqual([job]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
  for (const text of [json, yaml]) expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

test('an empty list is no data and one sentence', async () => {
  broker.on('GET /v1/jobs', () => ({ body: { items: [], nextCursor: null } }));
  expect(await yard('ps')).toMatchObject({
    code: 0,
    stdout: '',
    stderr: 'No jobs that have not ended; --all shows the others.\n',
  });
  expect((await yard('ps', '-o', 'json')).stdout).toBe('[]\n');
});

test('an unknown state is a usage error', async () => {
  const { code, stderr } = await yard('ps', '--state', 'pending');
  expect(code).toBe(2);
  expect(stderr).toContain("'pending' is not a state");
});

test('show has every fact on a line of its own, and the runs', async () => {
  const run = {
    id: 'r',
    cluster: 'north',
    pool: 'normal',
    attempt: 1,
    placementNumber: 7,
    tasks: '0',
    state: 'running',
    outcome: null,
    reason: null,
    nativeId: '1234',
    nativeState: 'RUNNING',
    nativeReason: null,
    started: '0',
    offeredAt: '2026-11-21T12:00:30.000Z',
    startedAt: '2026-11-21T12:01:00.000Z',
    endedAt: null,
    stdoutPath: null,
    stderrPath: null,
  };
  const spec = { resources: { tasks: 8, cpusPerTask: 2, nodes: 2, memoryMiBPerNode: 16_000, walltimeSeconds: 7200 } };
  broker.on('GET /v1/jobs/42', () => ({ body: sampleJob({ runs: [run], spec, labels: { campaign: 'spring' } }) }));
  const { stdout, code } = await yard('show', '42');
  expect(code).toBe(0);
  expect(stdout).toBe(
    `Job        42  0190a000-0000-7000-8000-00000000002a
Name       relax
State      ●\u00a0running  for 3m12s
Cluster    north
There      1234 RUNNING
Group      default
Owner      ada
Priority   500
Asks for   8 tasks × 2 CPUs, 2 nodes, 15.6Gi per node, 02:00:00
Submitted  2026-11-21T12:00:00.000Z  4m12s ago
Started    2026-11-21T12:01:00.000Z  3m12s ago
Output     /scratch/yard-42.out
Labels     campaign=spring

ATTEMPT  CLUSTER  POOL    TASKS  STATE      NATIVE-ID  AGE    RAN    REASON
1        north    normal  0      ●\u00a0running  1234       3m42s  3m12s  RUNNING
`,
  );
});

test('show of an absent job exits with 4, of no job with 2', async () => {
  broker.on('GET /v1/jobs/7', () => problem(404, 'unknown_job', 'There is no job 7.'));
  expect(await yard('show', '7')).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/^yard: There is no job 7\.\nhint: `yard ps --all`/),
  });
  expect((await yard('show', 'relax')).code).toBe(2);
});

test('events as a table', async () => {
  const items = [
    { jobId: 'j', sequence: 1, at: '2026-11-21T12:00:00.000Z', kind: 'submitted', data: {} },
    {
      jobId: 'j',
      sequence: 2,
      at: '2026-11-21T12:00:01.000Z',
      kind: 'placing',
      data: { cluster: 'north', tasks: '0' },
    },
  ];
  broker.on('GET /v1/jobs/42/events', () => ({ body: { items, nextCursor: null } }));
  expect((await yard('events', '42')).stdout).toBe(
    `TIME                      EVENT      DETAILS
2026-11-21T12:00:00.000Z  submitted  -
2026-11-21T12:00:01.000Z  placing    cluster=north tasks=0
`,
  );
});

const amounts = { nodes: 4, cpus: 64, memoryMiB: 257_228, gpus: 0 };
const cluster: Cluster = {
  name: 'north',
  kind: 'slurm',
  state: 'connected',
  admission: 'active',
  software: 'slurm 22.05.8',
  reportAgeMs: 3200,
  reportedAt: '2026-11-21T12:04:09.000Z',
  total: amounts,
  free: { nodes: 1, cpus: 12, memoryMiB: 64_307, gpus: 0 },
  runningJobs: 7,
  waitingJobs: 3,
  pools: [
    {
      name: 'gpu',
      isDefault: false,
      up: false,
      nativeState: 'DOWN',
      total: { ...amounts, gpus: 8 },
      free: { nodes: 0, cpus: 0, memoryMiB: 0, gpus: 0 },
      largestNode: { cpus: 16, memoryMiB: 64_307, gpus: 2 },
      largestFreeSlot: { cpus: 0, memoryMiB: 0, gpus: 0 },
      maxWalltimeSeconds: null,
      defaultWalltimeSeconds: null,
      maxNodesPerJob: null,
      maxCpusPerNode: null,
      maxMemoryMiBPerNode: null,
      gpuTypes: [],
      features: [],
      runningJobs: 0,
      waitingJobs: 0,
      waitingCpus: 0,
      waitingCpuSeconds: 0,
      steps: [],
    },
  ],
  notes: ["other users' jobs are hidden"],
  ourWaitingTasks: 2,
  ourRunningTasks: 5,
  breakerReason: null,
  labels: {},
};

test('clusters: free of total for each cluster and pool, and the age of the numbers', async () => {
  const silent: Cluster = {
    ...cluster,
    name: 'east',
    state: 'never_connected',
    software: null,
    reportAgeMs: null,
    reportedAt: null,
    total: null,
    free: null,
    runningJobs: null,
    waitingJobs: null,
    pools: [],
    notes: [],
  };
  broker.on('GET /v1/clusters', () => ({
    body: { items: [cluster, silent], paused: { reason: 'the database went back', since: 'noon' } },
  }));
  const { stdout, stderr } = await yard('clusters');
  expect(stdout).toBe(
    `CLUSTER  POOL  STATE              NODES  CPUS   MEMORY      GPUS  RUN  WAIT  AGE
north    -     ●\u00a0connected        1/4    12/64  62.8/251Gi  -     7    3     3s
north    gpu   ✖\u00a0down             0/4    0/64   0/251Gi     0/8   0    0     3s
east     -     ◌\u00a0never_connected  -      -      -           -     -    -     -
`,
  );
  expect(stderr).toBe("Nothing is placed since noon: the database went back\nnorth: other users' jobs are hidden\n");
  for (const line of stdout.trimEnd().split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  expect((await yard('clusters', '-o', 'name')).stdout).toBe('north\neast\n');
  expect((await yard('clusters', '-o', 'wide')).stdout).toContain('5+2');
});
