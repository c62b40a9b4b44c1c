import { expect, test } from 'vitest';
import type { JobSpecInput } from '../spec/job-spec.ts';
import { place } from './place.ts';
import { cluster, job, NOW, pool, report, SETTINGS, snapshot } from './testing/build-snapshot.ts';

const pods = cluster('pods', {
  kind: 'kubernetes',
  report: report([pool(), pool({ name: 'gpu', isDefault: false }), pool({ name: 'team', isDefault: false })]),
});

function planned(input: Partial<JobSpecInput>, where = pods) {
  const plan = place(snapshot([job(input)], [where]), NOW, SETTINGS);
  return plan.placements[0]?.pool ?? plan.waits[0]?.refusals[0]?.sentence;
}

test('a job without a node count is one pod: one node must have room for all of it', () => {
  const resources = { tasks: 17, memoryMiBPerTask: 10 };
  expect(planned({ resources }, cluster('a'))).toBe('main');
  expect(planned({ resources })).toBe("pool 'main' gives at most 16 CPUs in a node, the job asks for 17");
  expect(planned({ resources: { tasks: 16, memoryMiBPerTask: 1001 } })).toContain('gives at most 16000 MiB in a node');
  expect(planned({ resources: { tasks: 17, nodes: 2 } })).toBe('main');
});

test('a Kubernetes job names its LocalQueue or its node pool, and the queue counts first', () => {
  expect(planned({ native: { kubernetes: { pool: 'gpu' } } })).toBe('gpu');
  expect(planned({ native: { kubernetes: { queue: 'team' } } })).toBe('team');
  expect(planned({ native: { kubernetes: { pool: 'gpu', queue: 'team' } } })).toBe('team');
  expect(planned({ native: { kubernetes: { pool: 'gpus' } } })).toBe("it has no pool 'gpus'; there is 'gpu'");
  expect(planned({ native: { slurm: { partition: 'nowhere' } } })).toBe('main');
  expect(planned({ native: { kubernetes: { priorityClassName: 'x' } } })).toContain("option 'priorityClassName'");
});
