import { type JobSpecInput, jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import { expect, test } from 'vitest';
import { submitCommand } from './commands.ts';
import { commandEnvironment } from './dialect.ts';
import { environmentFile } from './environment-file.ts';
import { nativeArguments } from './native-options.ts';
import { sizeOptions } from './submit-options.ts';

const spec = (input: Partial<JobSpecInput> = {}) => jobSpecSchema.parse({ script: '#!/bin/sh\n', ...input });
const wrapper = {
  script: '',
  environment: { A: '1' },
  stdoutPath: '/w/o-%a',
  stderrPath: '/w/o-%a',
  workdir: '/w',
  arrayTasks: '',
};
const order = (input: Partial<JobSpecInput> = {}, pool = '') => ({
  ...{
    runId: '',
    placementNumber: 1,
    jobId: '',
    jobNumber: 1,
    attempt: 1,
    tasks: '0',
    specHash: '',
    groupPath: 'g',
    owner: 'o',
  },
  ...{ spec: spec(input), pool, marker: 'ydtest-x' },
});

test('the plainest job says what must be said and nothing more', () => {
  expect(submitCommand(order(), wrapper, [])).toEqual([
    ...['sbatch', '--parsable', '--no-requeue', '--export-file=3', '--propagate=NONE', '--open-mode=append'],
    ...['--comment=ydtest-x', '--job-name=job', '--chdir=/w', '--output=/w/o-%a'],
  ]);
});

test('everything a job can say', () => {
  const full = order({ rerunnable: true, name: '--x y', stdin: 'in %1' }, 'gpu');
  const argv = submitCommand(full, { ...wrapper, stderrPath: '/w/e', arrayTasks: '0-9:3' }, ['--qos=high']);
  expect(argv).toEqual(
    expect.arrayContaining([
      '--requeue',
      '--job-name=--x y',
      '--error=/w/e',
      '--input=/w/in %%1',
      '--array=0-9:3',
      '--partition=gpu',
    ]),
  );
  expect(argv.at(-1)).toBe('--qos=high');
});

test.each<[string, Partial<JobSpecInput>, string[]]>([
  ['nothing', {}, []],
  ['tasks', { resources: { tasks: 8, cpusPerTask: 2 } }, ['--ntasks=8', '--cpus-per-task=2']],
  ['nodes alone', { resources: { nodes: 2 } }, ['--nodes=2']],
  ['tasks per node', { resources: { nodes: 2, tasksPerNode: 4 } }, ['--nodes=2', '--ntasks-per-node=4']],
  ['memory per node', { resources: { memoryMiBPerNode: 100 } }, ['--mem=100M']],
  ['memory per CPU', { resources: { memoryMiBPerCpu: 100 } }, ['--mem-per-cpu=100M']],
  ['memory of one task', { resources: { memoryMiBPerTask: 100, cpusPerTask: 3 } }, ['--cpus-per-task=3', '--mem=100M']],
  [
    'memory per task',
    { resources: { memoryMiBPerTask: 100, cpusPerTask: 3, tasks: 4 } },
    ['--ntasks=4', '--cpus-per-task=3', '--mem-per-cpu=34M'],
  ],
  [
    'memory per task on each node',
    { resources: { memoryMiBPerTask: 100, tasks: 4, tasksPerNode: 2 } },
    ['--ntasks=4', '--ntasks-per-node=2', '--mem=200M'],
  ],
  ['GPUs', { resources: { gpusPerNode: 2 } }, ['--gres=gpu:2']],
  ['GPUs of a type', { resources: { gpusPerNode: 2, gpuType: 'a100' } }, ['--gres=gpu:a100:2']],
  ['walltime', { resources: { walltimeSeconds: 7265 } }, ['--time=121:05']],
  ['exclusive', { resources: { exclusive: true } }, ['--exclusive']],
  ['features', { constraints: { features: ['avx512', 'ib'] } }, ['--constraint=avx512&ib']],
  ['a signal', { signal: { name: 'USR1' } }, ['--signal=B:USR1@60']],
  ['a signal for all', { signal: { name: 'INT', batchOnly: false, beforeEndSeconds: 5 } }, ['--signal=INT@5']],
])('sizes: %s', (_what, input, options) => expect(sizeOptions(spec(input))).toEqual(options));

test('native options pass by name and kind, and are refused by name', () => {
  expect(
    nativeArguments({
      qos: 'high',
      nice: 5,
      overcommit: true,
      contiguous: false,
      partition: 'x',
      'open-mode': 'append',
    }),
  ).toEqual({
    args: ['--qos=high', '--nice=5', '--overcommit'],
  });
  for (const [options, problem] of [
    [{ uid: 'root' }, 'native.slurm.uid is not an option'],
    [{ comment: 'x' }, 'native.slurm.comment is not an option'],
    [{ 'export-file': 'x' }, 'native.slurm.export-file is not an option'],
    [{ constructor: 'x' }, 'native.slurm.constructor is not an option'],
    [{ qos: true }, 'native.slurm.qos needs a value'],
    [{ overcommit: 'yes' }, 'native.slurm.overcommit takes true or false'],
    [{ qos: { a: 'b' } }, 'native.slurm.qos takes one value'],
  ] as const)
    expect(nativeArguments(options)).toEqual({ problem: expect.stringContaining(problem) });
});

test('the environment of the job: NUL between entries, what sbatch leaves out, the job own last', () => {
  const entries = environmentFile(
    order({ name: 'n', native: { slurm: { hint: 'nomultithread', 'open-mode': 'append' } } }),
    {
      ...wrapper,
      environment: { HOME: '/h', TEXT: 'a\nb=c' },
    },
  ).split('\0');
  expect(entries).toEqual(
    expect.arrayContaining([
      'HOME=/h',
      'SLURM_JOB_NAME=n',
      'SLURM_SUBMIT_DIR=/w',
      'SLURM_HINT=nomultithread',
      'YARD_OPEN_MODE=append',
      'TEXT=a\nb=c',
    ]),
  );
  expect(entries.at(-1)).toBe('');
});

test("the commands' own environment carries nothing that would change what they do", () => {
  const from = {
    PATH: '/p',
    HOME: '/h',
    SQUEUE_STATES: 'R',
    SBATCH_PARTITION: 'x',
    SCANCEL_STATE: 'PD',
    SLURM_CONF: '/a',
    YARD_TOKEN: 's',
  };
  expect(commandEnvironment({}, from)).toEqual({
    PATH: '/p',
    HOME: '/h',
    LC_ALL: 'C.UTF-8',
    SLURM_BITSTR_LEN: '0',
    SLURM_TIME_FORMAT: '%s',
    SLURM_CONF: '/a',
  });
  expect(commandEnvironment({ conf: '/b' }, from)['SLURM_CONF']).toBe('/b');
});
