import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';
import { describe, expect, it } from 'vitest';
import { environmentOf } from './environment.ts';
import { makeOrder } from './testing/make-order.ts';

function environment(input: JobSpecInput, { nodes = 1, changes = {} } = {}): Record<string, string> {
  const list = environmentOf(makeOrder(input, changes), { cluster: 'east', nodes });
  expect(new Set(list.map(({ name }) => name)).size).toBe(list.length);
  return Object.fromEntries(
    list.map(({ name, value, valueFrom }) => [name, value ?? `<${valueFrom?.fieldRef.fieldPath}>`]),
  );
}

describe('the environment of a container', () => {
  it('says who the run is', () => {
    expect(environment({ name: 'relax', command: ['true'] }, { changes: { attempt: 2 } })).toEqual({
      ...{ HOME: '/tmp', YARD_JOB_ID: '01900000-0000-7000-8000-0000000000ff', YARD_JOB_NUMBER: '1042' },
      ...{ YARD_JOB_NAME: 'relax', YARD_RUN_ID: '01900000-0000-7000-8000-000000000001', YARD_ATTEMPT: '2' },
      ...{ YARD_CLUSTER: 'east', YARD_GROUP: 'physics/astro', YARD_TASK_INDEX: '0', YARD_NODES: '1' },
      ...{ YARD_NODE_RANK: '0', YARD_NODE_NAME: '<spec.nodeName>', YARD_NODELIST: '<metadata.name>' },
    });
  });

  it("has the job's own variables as they are, but for what the run is told of itself", () => {
    const env = { HOME: '/scratch/ada', A: '$(YARD_JOB_ID) $$', YARD_JOB_NUMBER: '1', JOB_COMPLETION_INDEX: '9' };
    expect(environment({ command: ['true'], env })).toMatchObject({
      ...{ HOME: '/scratch/ada', A: '$$(YARD_JOB_ID) $$$$', YARD_JOB_NUMBER: '1042', JOB_COMPLETION_INDEX: '9' },
    });
  });

  it('has the numbers of the whole array, under both names, though the run is a part of it', () => {
    const all = environment(
      { command: ['true'], array: { tasks: '4-20:4' }, env: { JOB_COMPLETION_INDEX: '9' } },
      { changes: { tasks: '8,12' } },
    );
    expect(all).toMatchObject({
      ...{ YARD_ARRAY_COUNT: '5', YARD_ARRAY_MIN: '4', YARD_ARRAY_MAX: '20', YARD_ARRAY_STEP: '4' },
      ...{ SLURM_ARRAY_TASK_COUNT: '5', SLURM_ARRAY_TASK_MIN: '4' },
      ...{ SLURM_ARRAY_TASK_MAX: '20', SLURM_ARRAY_TASK_STEP: '4' },
      JOB_COMPLETION_INDEX: "<metadata.annotations['batch.kubernetes.io/job-completion-index']>",
    });
  });

  it('gives every node of a gang its rank and the names of all', () => {
    expect(environment({ command: ['true'], resources: { nodes: 3 } }, { nodes: 3 })).toMatchObject({
      ...{ YARD_NODES: '3', YARD_NODE_RANK: "<metadata.annotations['batch.kubernetes.io/job-completion-index']>" },
      YARD_NODELIST: [0, 1, 2]
        .map((rank) => `ydtest-NAME-${rank}.ydtest-NAME`)
        .join(',')
        .replaceAll('ydtest-NAME', makeOrder({ command: ['true'] }).marker),
    });
  });
});
