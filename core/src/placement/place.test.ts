import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { count, difference, formatRangeSet, intersection, rangeSet, union } from '../spec/range-set.ts';
import { place } from './place.ts';
import type { ClusterView, Plan, RefusalKind, WaitingJob } from './snapshot.ts';
import { cluster, job, NOW, pool, report, SETTINGS, snapshot } from './testing/build-snapshot.ts';

const placed = (plan: Plan) => plan.placements.map(({ cluster, tasks }) => `${cluster} ${formatRangeSet(tasks)}`);

describe('where a job goes', () => {
  test('to the cluster that is least loaded, whatever their order', () => {
    const busy = report([pool({ free: { nodes: 1, cpus: 20, memoryMiB: 64_000, gpus: 0 } })]);
    const clusters = [cluster('east', { report: busy }), cluster('west')];
    expect(placed(place(snapshot([job()], clusters), NOW, SETTINGS))).toEqual(['west 0']);
    expect(placed(place(snapshot([job()], clusters.toReversed()), NOW, SETTINGS))).toEqual(['west 0']);
  });

  test('where it can start now rather than where less is asked for', () => {
    const fragmented = report([pool({ largestFreeSlot: { cpus: 2, memoryMiB: 1000, gpus: 0 } })]);
    const busy = report([pool({ free: { nodes: 1, cpus: 16, memoryMiB: 64_000, gpus: 0 } })]);
    const clusters = [cluster('east', { report: fragmented }), cluster('west', { report: busy })];
    const plan = place(snapshot([job({ resources: { cpusPerTask: 8 } })], clusters), NOW, SETTINGS);
    expect(placed(plan)).toEqual(['west 0']);
    expect(plan.placements[0]!.scores.map((score) => score.cluster)).toEqual(['west', 'east']);
    expect(plan.placements[0]!.scores[0]!.why).toBe("can start now, 88 % of 'main' asked for with it");
  });

  test('a burst is spread, for every placement is subtracted', () => {
    const jobs = Array.from({ length: 90 }, () => job());
    const plan = place(snapshot(jobs, [cluster('a'), cluster('b'), cluster('c')]), NOW, SETTINGS);
    for (const name of ['a', 'b', 'c'])
      expect(plan.placements.filter((each) => each.cluster === name)).toHaveLength(30);
  });

  test('what is under way there counts although the report does not show it', () => {
    const run = { pool: 'main', cpus: 60, memoryMiB: 0, gpus: 0, offeredAtMs: NOW };
    const clusters = [cluster('a', { unstarted: [run] }), cluster('b')];
    expect(placed(place(snapshot([job()], clusters), NOW, SETTINGS))).toEqual(['b 0']);
  });

  test('round-robin takes clusters in turn', () => {
    const jobs = Array.from({ length: 6 }, () => job());
    const plan = place(snapshot(jobs, [cluster('a', { placedCount: 1 }), cluster('b')]), NOW, {
      ...SETTINGS,
      policy: 'round-robin',
    });
    expect(placed(plan).map((each) => each[0])).toEqual(['b', 'a', 'b', 'a', 'b', 'a']);
  });

  test('to a pool that is not the default only where the default cannot take it', () => {
    const long = pool({ name: 'long', isDefault: false, maxWalltimeSeconds: null });
    const clusters = [cluster('a', { report: report([pool(), long]) })];
    const poolOf = (walltimeSeconds: number) =>
      place(snapshot([job({ resources: { walltimeSeconds } })], clusters), NOW, SETTINGS).placements[0]!.pool;
    expect([poolOf(60), poolOf(100_000)]).toEqual(['main', 'long']);
  });

  test('to the partition that it names', () => {
    const clusters = [cluster('a', { report: report([pool(), pool({ name: 'gpu', isDefault: false })]) })];
    const plan = place(snapshot([job({ native: { slurm: { partition: 'gpu' } } })], clusters), NOW, SETTINGS);
    expect(plan.placements[0]!.pool).toBe('gpu');
  });

  test('not where it was refused, unless there is no other', () => {
    const avoiding = job({}, { avoidClusters: ['a'] });
    const plan = place(snapshot([avoiding], [cluster('a'), cluster('b', { placedCount: 9 })]), NOW, SETTINGS);
    expect(placed(plan)).toEqual(['b 0']);
    expect(plan.placements[0]!.refusals.map((each) => each.kind)).toEqual(['avoided']);
    expect(placed(place(snapshot([avoiding], [cluster('a')]), NOW, SETTINGS))).toEqual(['a 0']);
  });
});

describe('arrays', () => {
  const size = (cpus: number) => report([pool({ free: { nodes: 1, cpus, memoryMiB: 64_000, gpus: 0 } })]);

  test('are cut in proportion to what each cluster can start now, then to its room', () => {
    const clusters = [cluster('a', { report: size(10), backlog: 50 }), cluster('b', { report: size(30), backlog: 50 })];
    const place8 = place(snapshot([job({ array: { tasks: '0-7' } })], clusters), NOW, SETTINGS);
    expect(placed(place8).sort()).toEqual(['a 6-7', 'b 0-5']);
    const place100 = place(snapshot([job({ array: { tasks: '1-200' } })], clusters), NOW, SETTINGS);
    expect(placed(place100).sort()).toEqual(['a 51-100', 'b 1-50']);
    expect(place100.waits[0]!.refusals.map((each) => each.kind)).toEqual(['backlog_full', 'backlog_full']);
  });

  test('that must not be cut go to one cluster as a whole', () => {
    const clusters = [cluster('a', { backlog: 5 }), cluster('b', { backlog: 5 })];
    const plan = place(snapshot([job({ array: { tasks: '0-99', split: false } })], clusters), NOW, SETTINGS);
    expect(placed(plan)).toEqual(['a 0-99']);
  });

  test('keep to maxRunning over all clusters', () => {
    const array = job({ array: { tasks: '0-99', maxRunning: 40 } }, { outTasks: 30, queued: rangeSet('30-99') });
    const plan = place(snapshot([array], [cluster('a'), cluster('b')]), NOW, SETTINGS);
    expect(formatRangeSet(union(...plan.placements.map((each) => each.tasks)))).toBe('30-39');
    expect(plan.waits[0]).toMatchObject({ kind: 'max_running' });
  });

  test('go only where their indexes are possible', () => {
    const clusters = [cluster('a', { report: report([pool()], { maxArrayIndex: 10 }) }), cluster('b')];
    const plan = place(snapshot([job({ array: { tasks: '5-30' } })], clusters), NOW, SETTINGS);
    for (const { cluster: name, tasks } of plan.placements) if (name === 'a') expect(tasks.at(-1)![1]).toBeLessThan(11);
    const alone = place(snapshot([job({ array: { tasks: '11-30' } })], clusters.slice(0, 1)), NOW, SETTINGS);
    expect(alone.waits[0]).toMatchObject({ kind: 'no_cluster_ever', refusals: [{ kind: 'array_index' }] });
  });
});

describe('why not', () => {
  const cases: [RefusalKind, string, Parameters<typeof job>[0], Partial<ClusterView>][] = [
    ['constraint_cluster', "the job asks for 'west' only", { constraints: { clusters: ['west'] } }, {}],
    ['constraint_cluster', 'the job excludes this cluster', { constraints: { excludeClusters: ['north'] } }, {}],
    ['constraint_kind', "it is slurm, the job asks for 'lsf'", { constraints: { kinds: ['lsf'] } }, {}],
    [
      'constraint_label',
      "its label 'site' is 'oslo', the job asks for 'bergen'",
      { constraints: { clusterLabels: { site: 'bergen' } } },
      { labels: { site: 'oslo' } },
    ],
    [
      'constraint_label',
      "its label 'constructor' is not set, the job asks for 'x'",
      { constraints: { clusterLabels: { constructor: 'x' } } },
      {},
    ],
    [
      'constraint_feature',
      "partition 'main' has no nodes with feature 'avx512'",
      { constraints: { features: ['avx512'] } },
      {},
    ],
    ['filesystem', "it does not have the file system 'scratch'", { needs: ['scratch'] }, {}],
    ['native_option', "its agent does not allow the slurm option 'qos'", { native: { slurm: { qos: 'high' } } }, {}],
    ['pool_unknown', "it has no partition 'mian'; there is 'main'", { native: { slurm: { partition: 'mian' } } }, {}],
    [
      'pool_down',
      "partition 'main' is INACTIVE",
      {},
      { report: report([pool({ up: false, nativeState: 'INACTIVE' })]) },
    ],
    [
      'pool_walltime',
      "partition 'main' allows 1-00:00:00, the job asks for 2-00:00:00",
      { resources: { walltimeSeconds: 172_800 } },
      {},
    ],
    ['pool_nodes', "partition 'main' allows 4 nodes, the job asks for 5", { resources: { nodes: 5 } }, {}],
    [
      'never_fits_cpus',
      "partition 'main' gives at most 16 CPUs in a node, the job asks for 17",
      { resources: { cpusPerTask: 17 } },
      {},
    ],
    ['never_fits_cpus', "partition 'main' has 64 CPUs, the job asks for 65", { resources: { tasks: 65 } }, {}],
    [
      'never_fits_memory',
      "partition 'main' gives at most 16000 MiB in a node, the job asks for 16001 MiB",
      { resources: { memoryMiBPerNode: 16_001 } },
      {},
    ],
    [
      'never_fits_gpus',
      "partition 'main' has at most 0 GPUs in a node, the job asks for 1",
      { resources: { gpusPerNode: 1 } },
      {},
    ],
    ['image', "it runs no container images, the job asks for 'busybox'", { image: 'busybox' }, {}],
    ['cordoned', 'it is cordoned: it takes no new jobs', {}, { admission: 'cordoned' }],
    ['draining', 'it is being drained: it takes no new jobs', {}, { admission: 'draining' }],
    ['never_reported', 'its agent has not reported any capacity yet', {}, { report: null, reportedAtMs: null }],
    ['disconnected', 'its agent is not connected', {}, { connected: false }],
    ['stale_report', 'its last report is 31 s old', {}, { reportedAtMs: NOW - 31_000 }],
    ['breaker_open', 'too many jobs failed', {}, { breakerReason: 'too many jobs failed' }],
    ['backlog_full', 'it holds its 200 waiting tasks already', {}, { waitingTasks: 200 }],
    [
      'submit_limit',
      'its user may not submit any more jobs there for now',
      {},
      { report: report([pool()], { submitSlotsLeft: 0 }) },
    ],
  ];

  test.each(cases)('%s: %s', (kind, sentence, spec, view) => {
    const plan = place(snapshot([job(spec)], [cluster('north', view)]), NOW, SETTINGS);
    expect(plan.placements).toEqual([]);
    expect(plan.waits[0]!.refusals).toEqual([expect.objectContaining({ cluster: 'north', kind, sentence })]);
    expect(plan.waits[0]!.kind).toBe(plan.waits[0]!.refusals[0]!.permanent ? 'no_cluster_ever' : 'no_cluster');
  });

  test('a job that fits nowhere names the limit of every cluster', () => {
    const small = pool({ name: 'small', largestNode: { cpus: 2, memoryMiB: 2000, gpus: 0 } });
    const clusters = [
      cluster('a'),
      cluster('b', { report: report([small]), admission: 'cordoned' }),
      cluster('c', { kind: 'local' }),
    ];
    const plan = place(snapshot([job({ resources: { cpusPerTask: 99 } })], clusters), NOW, SETTINGS);
    expect(plan.waits[0]).toMatchObject({ kind: 'no_cluster_ever' });
    expect(plan.waits[0]!.refusals.map((each) => `${each.cluster}: ${each.sentence}`)).toEqual([
      "a: partition 'main' gives at most 16 CPUs in a node, the job asks for 99",
      "b: partition 'small' gives at most 2 CPUs in a node, the job asks for 99",
      "c: pool 'main' gives at most 16 CPUs in a node, the job asks for 99",
    ]);
  });

  test('a path that one cluster declares is looked for on the others; one that nobody declares is not judged', () => {
    const clusters = [
      cluster('a'),
      cluster('b', { filesystems: [{ id: 'scratch', pathPrefix: '/scratch' }], placedCount: 9 }),
    ];
    const where = (workdir: string) => placed(place(snapshot([job({ workdir })], clusters), NOW, SETTINGS));
    expect(where('/scratch/x')).toEqual(['b 0']);
    expect(where('/scratch2')).toEqual(['a 0']);
  });

  test('a job waits for its own reasons before any cluster is asked', () => {
    const jobs = [
      job({}, { dependency: 'unmet' }),
      job({ startAfter: '2026-12-01T00:00:00Z' }),
      job({}, { notBeforeMs: NOW + 1500 }),
      job({}, { dependency: 'impossible' }),
      job({ startDeadline: '2026-11-01T00:00:00Z' }),
    ];
    const plan = place(snapshot(jobs, [cluster('a')]), NOW, SETTINGS);
    expect(plan.waits.map((each) => each.kind)).toEqual(['dependency', 'start_after', 'backoff']);
    expect(plan.dead.map((each) => each.reason)).toEqual(['dependency', 'deadline']);
  });

  test('nothing is placed while the federation is paused', () => {
    const plan = place(
      { ...snapshot([job()], [cluster('a')]), pausedReason: 'the database went back in time' },
      NOW,
      SETTINGS,
    );
    expect(plan).toMatchObject({
      placements: [],
      waits: [{ kind: 'paused', sentence: 'the database went back in time' }],
    });
  });

  test('without any cluster a job waits for one', () => {
    expect(place(snapshot([job()], []), NOW, SETTINGS).waits[0]).toMatchObject({
      kind: 'no_cluster',
      sentence: 'there is no cluster yet',
    });
  });
});

describe('properties', () => {
  const clusters = fc
    .uniqueArray(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c', 'd'),
        backlog: fc.nat(30),
        waiting: fc.nat(30),
        free: fc.nat(64),
        max: fc.constantFrom(5, 1000, null),
        slots: fc.constantFrom(null, 3),
      }),
      { selector: ({ name }) => name },
    )
    .map((list) =>
      list.map(({ name, backlog, waiting, free, max, slots }) =>
        cluster(name, {
          ...{ backlog, waitingTasks: waiting },
          report: report([pool({ free: { nodes: 1, cpus: free, memoryMiB: 64_000, gpus: 0 } })], {
            maxArrayIndex: max,
            submitSlotsLeft: slots,
          }),
        }),
      ),
    );
  const jobs = fc.array(
    fc
      .oneof(
        fc.constant({}),
        fc
          .record({
            tasks: fc.constantFrom('0-9', '3-40:3', '100', '0-99'),
            maxRunning: fc.integer({ min: 1, max: 20 }),
          })
          .map((array) => ({ array })),
      )
      .map((spec) => job(spec)),
    { maxLength: 12 },
  );

  test('every plan keeps every bound, and never depends on the order of the clusters', () => {
    fc.assert(
      fc.property(clusters, jobs, fc.integer({ min: 1, max: 20 }), (views, list, limit) => {
        const plan = place(snapshot(list, views), NOW, { ...SETTINGS, limit });
        expect(place(snapshot(list, views.toReversed()), NOW, { ...SETTINGS, limit })).toEqual(plan);
        expect(plan.placements.length).toBeLessThanOrEqual(limit);
        for (const view of views) expectWithinCluster(plan, view);
        for (const each of list) expectWithinJob(plan, each);
      }),
    );
  });

  function expectWithinCluster(plan: Plan, view: ClusterView): void {
    const tasks = plan.placements.filter((each) => each.cluster === view.name).map((each) => each.tasks);
    const total = tasks.reduce((sum, set) => sum + count(set), 0);
    expect(total).toBeLessThanOrEqual(Math.max(0, view.backlog - view.waitingTasks));
    expect(total).toBeLessThanOrEqual(view.report!.submitSlotsLeft ?? total);
    for (const set of tasks.filter((each) => each[0]![0] > 0))
      expect(set.at(-1)![1]).toBeLessThanOrEqual(view.report!.maxArrayIndex ?? 1000);
  }

  function expectWithinJob(plan: Plan, each: WaitingJob): void {
    const sets = plan.placements.filter(({ jobId }) => jobId === each.id).map(({ tasks }) => tasks);
    const all = union(...sets);
    expect(count(all)).toBe(sets.reduce((sum, set) => sum + count(set), 0));
    expect(difference(all, each.queued)).toEqual([]);
    expect(intersection(all, each.queued)).toEqual(all);
    expect(count(all)).toBeLessThanOrEqual(each.maxRunning ?? count(all));
  }
});

/** Time on a shared machine says nothing by itself: processor time is held against that of work of the same size in the same run. */
test('a hundred thousand queued jobs and twenty clusters take no longer than writing them down and reading them', () => {
  const specs = Array.from(
    { length: 50 },
    (_, at) => job({ resources: { cpusPerTask: 1 + (at % 16), walltimeSeconds: 60 * (at + 1) } }).spec,
  );
  const jobs = Array.from({ length: 100_000 }, (_, at) =>
    job({}, { id: `j${at}`, spec: structuredClone(specs[at % 50]!) }),
  );
  const clusters = Array.from({ length: 20 }, (_, at) => cluster(`c${at}`));
  const took = (work: () => unknown) => {
    const before = process.threadCpuUsage();
    const result = work();
    const { user, system } = process.threadCpuUsage(before);
    return { result, ms: (user + system) / 1000 };
  };
  const placed = took(() => place(snapshot(jobs, clusters), NOW, SETTINGS));
  const copied = took(() => JSON.parse(JSON.stringify(jobs)));
  const plan = placed.result as Plan;
  expect(plan.placements).toHaveLength(4000);
  expect(plan.waits).toHaveLength(96_000);
  expect(copied.result).toHaveLength(100_000);
  expect(placed.ms / copied.ms).toBeLessThan(1);
});
