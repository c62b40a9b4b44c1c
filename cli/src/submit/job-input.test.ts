import { validateJobSpec } from '@switchyard/core/spec/validate-job-spec.ts';
import { expect, test } from 'vitest';
import { type JobOptions, jobInput } from './job-input.ts';
import type { Source } from './read-source.ts';

const world = { cwd: '/home/ada', env: { HOME: '/home/ada', EMPTY: '' } };
const command: Source = { kind: 'command', argv: ['/usr/bin/relax', 'input dat'] };
const of = (options: JobOptions, source: Source = command) => jobInput(source, options, world);

test('a bare command is called like its program and runs here', () => {
  expect(of({})).toEqual({ name: 'relax', workdir: '/home/ada', command: ['/usr/bin/relax', 'input dat'] });
});

test('a name that we make up is never what a job is refused for', () => {
  const odd = of({}, { kind: 'command', argv: ['evil\u001b[2J\n'] });
  expect(odd.name).toBe('evil_[2J_');
  expect(validateJobSpec(odd).ok).toBe(true);
});

test('every option finds its field, and the whole is a valid spec', () => {
  const spec = of({
    name: 'r',
    cluster: ['north,east', 'west'],
    time: '1-12:30',
    ntasks: '8',
    nodes: '2',
    ntasksPerNode: '4',
    cpusPerTask: '2',
    mem: '4G',
    gpus: 'a100:4',
    exclusive: true,
    array: '0-9:3%5',
    maxRunning: 2,
    workdir: 'runs',
    output: '%x-%a.out',
    error: '%x-%a.err',
    env: ['A=b=c', 'HOME', 'EMPTY'],
    group: 'physics/astro',
    priority: 7,
    after: ['12,13:ended', '14:failed'],
    rerunnable: true,
    label: ['campaign=spring'],
  });
  expect(spec).toEqual({
    name: 'r',
    command: ['/usr/bin/relax', 'input dat'],
    group: 'physics/astro',
    priority: 7,
    rerunnable: true,
    workdir: '/home/ada/runs',
    stdout: '%x-%a.out',
    stderr: '%x-%a.err',
    resources: {
      tasks: 8,
      nodes: 2,
      tasksPerNode: 4,
      cpusPerTask: 2,
      walltimeSeconds: 131_400,
      memoryMiBPerNode: 4096,
      gpusPerNode: 2,
      gpuType: 'a100',
      exclusive: true,
    },
    array: { tasks: '0-9:3', maxRunning: 2 },
    constraints: { clusters: ['north', 'east', 'west'] },
    env: { A: 'b=c', HOME: '/home/ada', EMPTY: '' },
    labels: { campaign: 'spring' },
    dependsOn: [{ job: 12 }, { job: 13, when: 'ended' }, { job: 14, when: 'failed' }],
  });
  expect(validateJobSpec(spec).ok).toBe(true);
});

test.each<[JobOptions, number]>([
  [{ time: '90' }, 5400],
  [{ time: '90:30' }, 5430],
  [{ time: '01:30:00' }, 5400],
  [{ time: '2-0' }, 172_800],
])('%o is %d seconds', (options, walltimeSeconds) => {
  expect(of(options).resources).toEqual({ walltimeSeconds });
});

test.each<[JobOptions, RegExp]>([
  [{ time: 'unlimited' }, /--time: no limit at all/],
  [{ mem: 'much' }, /--mem: 'much'/],
  [{ mem: '1G', memPerCpu: '1G' }, /--mem-per-cpu: .*only one/],
  [{ gpus: '3', nodes: '2' }, /--gpus: .*--gpus-per-node/],
  [{ array: '1..5' }, /--array: '1..5'/],
  [{ env: ['ABSENT'] }, /--env: 'ABSENT'.*nor set here/],
  [{ env: ['=x'] }, /--env: '=x'/],
  [{ label: ['x'] }, /--label: 'x' is not KEY=VALUE/],
  [{ after: ['afterok:12'] }, /--after: 'afterok:12'/],
])('%o is refused by name', (options, message) => {
  expect(() => of(options)).toThrow(message);
});

test('what a document says stays unless an option says otherwise', () => {
  const document = {
    name: 'doc',
    workdir: '/data',
    command: ['x'],
    env: { A: '1', B: '2' },
    resources: { memoryMiBPerCpu: 5 },
  };
  expect(of({ env: ['B=3'], mem: '1G' }, { kind: 'document', document })).toEqual({
    ...document,
    env: { A: '1', B: '3' },
    resources: { memoryMiBPerNode: 1024 },
  });
});

test('a script keeps the name and folder of its directives', () => {
  const script = (text: string) => of({}, { kind: 'script', text, fileName: 'job.sh' });
  expect(script('#!/bin/sh\n')).toMatchObject({ name: 'job.sh', workdir: '/home/ada' });
  expect(script('#!/bin/sh\n#SBATCH -J x\n')).toEqual({ script: '#!/bin/sh\n#SBATCH -J x\n', workdir: '/home/ada' });
  expect(script('#!/bin/sh\n#SBATCH --chdir=/data\n')).not.toHaveProperty('workdir');
  expect(script('#!/bin/sh\necho\n#SBATCH -J late\n')).toMatchObject({ name: 'job.sh' });
});
