import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applySubmission } from './apply-submission.ts';
import { sbatchArguments } from './sbatch-arguments.ts';
import { readSbatchDirectives } from './sbatch-directives.ts';

const NOW = Date.UTC(2026, 10, 21, 14);
const script = (...lines: string[]) =>
  ['#!/bin/bash', ...lines.map((line) => `#SBATCH ${line}`), 'srun hostname'].join('\n');
const read = (...lines: string[]) => readSbatchDirectives(script(...lines), NOW);

describe('words, as sbatch 22.05.8 -vvv printed them for the same lines', () => {
  test.each([
    ['--job-name=a#b -n2', ['--job-name=a']],
    ['-n 4 # four', ['-n', '4']],
    ['--comment="a b"c', ['--comment=a bc']],
    [`--job-name 'a # b' --hold`, ['--job-name', 'a # b', '--hold']],
    [String.raw`-Ja\"b -n2`, ['-Ja"b', '-n2']],
    [String.raw`-J 'a\'b' -n2`, ['-J', "a'b", '-n2']],
    [String.raw`-J 'a\b'`, ['-J', 'ab']],
    [String.raw`-Ja\#b -n2`, ['-Ja#b', '-n2']],
    [String.raw`-Ja\\b`, ['-Ja\\b']],
    [String.raw`-Ja\ b`, ['-Ja', 'b']],
    [`-J"a"'b'c`, ['-Jabc']],
    ['-J a"b:c" d:e', ['-J', 'ab:c', 'd:e']],
  ])('%s', (line, words) => {
    expect(sbatchArguments(script(line)).words.map((word) => word.text)).toEqual(words);
  });

  test('the first line that is neither empty nor a comment ends them', () => {
    const text =
      '#!/bin/bash\n   \n\t# hi\n##SBATCH -n7\n# SBATCH -n8\n  #SBATCH -n9\n#SBATCH\t-n\t3\n#SBATCH--mem=5\nset -e\n#SBATCH -n10';
    expect(sbatchArguments(text).words.map((word) => word.text)).toEqual(['-n', '3', '--mem=5']);
  });

  test.each([
    ['--job-name="x', 'the quote " is never closed'],
    [': -n2', "unexpected ':', the separator of heterogeneous jobs"],
    ['-n2 : -n3', "unexpected ':', the separator of heterogeneous jobs"],
    ['hetjob', 'heterogeneous jobs (hetjob) cannot be placed as one job'],
    ['packjob', 'heterogeneous jobs (hetjob) cannot be placed as one job'],
  ])('%s is refused', (line, message) => {
    expect(read(line)).toEqual({ ok: false, problems: [{ path: '/script', message: `line 2: ${message}` }] });
  });
});

describe('translated', () => {
  const slurm = (options: Record<string, string | boolean>) => ({
    native: { slurm: options },
    constraints: { kinds: ['slurm'] },
  });
  test.each<[string, object]>([
    ['--job-name=x', { name: 'x' }],
    ['-J x', { name: 'x' }],
    ['-Jx', { name: 'x' }],
    ['--job=x', { name: 'x' }],
    ['-Hn2', { held: true, resources: { tasks: 2 } }],
    ['-o %x-%j.out -e err -i in', { stdout: '%x-%j.out', stderr: 'err', stdin: 'in' }],
    ['-D /scratch/a', { workdir: '/scratch/a' }],
    ['-t 90', { resources: { walltimeSeconds: 5400 } }],
    ['-t 90:30', { resources: { walltimeSeconds: 5430 } }],
    ['-t 1:2:3', { resources: { walltimeSeconds: 3723 } }],
    ['-t 1-2', { resources: { walltimeSeconds: 93_600 } }],
    ['-t 1-2:3', { resources: { walltimeSeconds: 93_780 } }],
    ['-t 1-2:3:4', { resources: { walltimeSeconds: 93_784 } }],
    ['-N 2 -n 8 --ntasks-per-node=4 -c 2', { resources: { nodes: 2, tasks: 8, tasksPerNode: 4, cpusPerTask: 2 } }],
    ['-N 2-2', { resources: { nodes: 2 } }],
    ['-N 1k', { resources: { nodes: 1024 } }],
    ['--mem=4G', { resources: { memoryMiBPerNode: 4096 } }],
    ['--mem=4gb', { resources: { memoryMiBPerNode: 4096 } }],
    ['--mem=1T', { resources: { memoryMiBPerNode: 1_048_576 } }],
    ['--mem=100K', { resources: { memoryMiBPerNode: 1 } }],
    ['--mem=300', { resources: { memoryMiBPerNode: 300 } }],
    ['--mem-per-cpu=2G', { resources: { memoryMiBPerCpu: 2048 } }],
    ['--gres=gpu', { resources: { gpusPerNode: 1 } }],
    ['--gres=gpu:2', { resources: { gpusPerNode: 2 } }],
    ['--gres=gpu:a100', { resources: { gpusPerNode: 1, gpuType: 'a100' } }],
    ['--gres=gpu:a100:2', { resources: { gpusPerNode: 2, gpuType: 'a100' } }],
    ['--gres=gres/gpu:3', { resources: { gpusPerNode: 3 } }],
    ['--gpus-per-node=v100:4', { resources: { gpusPerNode: 4, gpuType: 'v100' } }],
    ['--gpus=2', { resources: { gpusPerNode: 2 } }],
    ['-G 8 -N 4', { resources: { gpusPerNode: 2, nodes: 4 } }],
    ['-a 0-15:4,20%4', { array: { tasks: '0-15:4,20', maxRunning: 4 } }],
    ['-a 1-3', { array: { tasks: '1-3' } }],
    ['--signal=B:USR1@90', { signal: { name: 'USR1', beforeEndSeconds: 90, batchOnly: true } }],
    ['--signal=SIGTERM', { signal: { name: 'TERM', beforeEndSeconds: 60, batchOnly: false } }],
    ['--signal=10@5', { signal: { name: 'USR1', beforeEndSeconds: 5, batchOnly: false } }],
    ['--requeue', { rerunnable: true }],
    ['--no-requeue', { rerunnable: false }],
    ['--begin=2030-01-20T12:34:00', { startAfter: '2030-01-20T12:34:00.000Z' }],
    ['--begin=2030-01-20', { startAfter: '2030-01-20T00:00:00.000Z' }],
    ['--begin=now+60', { startAfter: '2026-11-21T14:01:00.000Z' }],
    ['--begin=now+2hours', { startAfter: '2026-11-21T16:00:00.000Z' }],
    ['--deadline=now+2hour -t 60', { startDeadline: '2026-11-21T15:00:00.000Z', resources: { walltimeSeconds: 3600 } }],
    [
      '-d afterok:20:21,afterany:23,after:4,afternotok:5',
      {
        dependsOn: [
          { job: 20, when: 'succeeded' },
          { job: 21, when: 'succeeded' },
          { job: 23, when: 'ended' },
          { job: 4, when: 'started' },
          { job: 5, when: 'failed' },
        ],
      },
    ],
    ['-d 7', { dependsOn: [{ job: 7, when: 'ended' }] }],
    ['--exclusive', { resources: { exclusive: true } }],
    ['--constraint="intel&avx512"', { constraints: { features: ['intel', 'avx512'] } }],
    ['--export=NONE', { environment: 'clean' }],
    ['--export=ALL', { environment: 'submit', env: {} }],
    ['--export=ALL,A=1,B=x=y', { environment: 'submit', env: { A: '1', B: 'x=y' } }],
    ['-M north,east', { constraints: { clusters: ['north', 'east'] } }],
    ['--parsable -Q --ignore-pbs', {}],
    ['-p gpu,long -q high -A astro', slurm({ partition: 'gpu,long', qos: 'high', account: 'astro' })],
    ['--nice --propagate --overcommit', slurm({ nice: '100', propagate: 'ALL', overcommit: true })],
    ['--open-mode=append', slurm({ 'open-mode': 'append' })],
  ])('%s', (line, partial) => {
    expect(read(line)).toEqual({ ok: true, partial });
  });

  test('the last option of a name counts, on whatever line', () => {
    expect(read('-n 2', '--ntasks=3')).toEqual({ ok: true, partial: { resources: { tasks: 3 } } });
    expect(read('--no-requeue', '--requeue')).toEqual({ ok: true, partial: { rerunnable: true } });
  });

  test('a script without directives says nothing', () => {
    expect(readSbatchDirectives('#!/bin/sh\ntrue\n')).toEqual({ ok: true, partial: {} });
  });
});

describe('refused by name', () => {
  test.each([
    ['--no-such=x', "there is no option '--no-such' of sbatch"],
    ['--job_name=x', "there is no option '--job_name' of sbatch", "did you mean '--job-name'?"],
    ['--no', "'--no' is ambiguous: --nodefile, --nodelist, --nodes, --no-kill, --no-requeue"],
    ['-Z', "there is no option '-Z' of sbatch"],
    ['-n 2 foo', "'foo' is not an option"],
    ['--hold=3', '--hold takes no value'],
    ['--nodes', '--nodes needs a value'],
    ['--nodes=2-4', '#SBATCH --nodes cannot be honoured: a range of node counts; name one number'],
    ['--time=0', '#SBATCH --time cannot be honoured: no limit at all cannot be promised on every cluster; name one'],
    ['--time=abc', "#SBATCH --time cannot be honoured: 'abc' is not a time limit"],
    ['--time=1:2:3:4', "#SBATCH --time cannot be honoured: '1:2:3:4' is not a time limit"],
    ['--mem=0', '#SBATCH --mem cannot be honoured: all memory of a node cannot be planned with; name an amount'],
    ['--mem=1.5G', "#SBATCH --mem cannot be honoured: '1.5G' is not an amount of memory"],
    [
      '--mem=1G --mem-per-cpu=1G',
      '#SBATCH --mem-per-cpu cannot be honoured: sbatch takes only one of --mem and --mem-per-cpu',
    ],
    ['--ntasks=4k', "#SBATCH --ntasks cannot be honoured: '4k' is not a number above 0"],
    ['--gres=gpu:1,fpga:1', "#SBATCH --gres cannot be honoured: only gpu can be asked for here, not 'fpga:1'"],
    [
      '--gpus=3 -N 2',
      '#SBATCH --gpus cannot be honoured: a total that does not say how many for each node; use --gpus-per-node',
    ],
    [
      '--gpus=3 -n 2',
      '#SBATCH --gpus cannot be honoured: a total that does not say how many for each node; use --gpus-per-node',
    ],
    [
      '--signal=KILL',
      "#SBATCH --signal cannot be honoured: only HUP, INT, USR1, USR2, TERM, CONT can be sent, not 'KILL'",
    ],
    [
      '--signal=R:USR1',
      '#SBATCH --signal cannot be honoured: overlapping a reservation (R:) cannot be promised on every cluster',
    ],
    [
      '--begin=teatime',
      "#SBATCH --begin cannot be honoured: 'teatime' means another moment on every cluster; write YYYY-MM-DDTHH:MM:SS (UTC) or now+<count><unit>",
    ],
    [
      '-d singleton',
      "#SBATCH --dependency cannot be honoured: the dependency 'singleton' cannot be waited for; known are afterok, afternotok, afterany, after",
    ],
    [
      '-d afterok:1?afterok:2',
      "#SBATCH --dependency cannot be honoured: one of several dependencies ('?') cannot be waited for",
    ],
    ['-d after:1+5', "#SBATCH --dependency cannot be honoured: '1+5' is not the number of a job"],
    ['-d afterok', "#SBATCH --dependency cannot be honoured: 'afterok' is not the number of a job"],
    [
      '--constraint="a|b"',
      "#SBATCH --constraint cannot be honoured: 'a|b' is more than a list of features joined with '&'",
    ],
    [
      '--exclusive=user',
      '#SBATCH --exclusive cannot be honoured: exclusive use by user cannot be promised on every cluster',
    ],
    [
      '--export=EDITOR',
      "#SBATCH --export cannot be honoured: the value of 'EDITOR' is not known here; write EDITOR=value, or put it under env",
    ],
    [
      '--chdir=rel',
      '#SBATCH --chdir cannot be honoured: a directory relative to where sbatch runs; give an absolute path',
    ],
    [
      '--comment=x',
      '#SBATCH --comment cannot be honoured: the comment carries the marker by which the job is found again; use labels',
    ],
    [
      '--cluster-constraint=x',
      "#SBATCH --cluster-constraint cannot be honoured: it chooses between clusters of Slurm's own federation; use constraints of the spec",
    ],
    [
      '--reboot',
      '#SBATCH --reboot cannot be honoured: it has no meaning on clusters of other kinds and is not passed on',
    ],
  ])('%s', (line, message, hint?: string) => {
    expect(read(line)).toEqual({
      ok: false,
      problems: [{ path: '/script', message: `line 2: ${message}`, ...(hint ? { hint } : {}) }],
    });
  });

  test('all that is wrong is named at once, with its line', () => {
    const result = read('-n 2', '--comment=x', '-Z');
    expect(result.ok ? [] : result.problems.map((problem) => problem.message.slice(0, 7))).toEqual([
      'line 4:',
      'line 3:',
    ]);
  });
});

test('total: any text gives a part of a spec or problems', () => {
  const word = fc.constantFrom(
    '#SBATCH ',
    '-n',
    '--gres=',
    'gpu:',
    '"',
    "'",
    '\\',
    ':',
    '--',
    '=',
    '%',
    '@',
    '-',
    '1',
    'a',
    ' ',
    '\n',
    '#',
    ',',
    '&',
  );
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 40 }).map((words) => words.join('')),
      (text) => {
        const result = readSbatchDirectives(`#!/bin/sh\n${text}`, NOW);
        expect(result.ok || result.problems.length > 0).toBe(true);
      },
    ),
  );
});

describe('applySubmission', () => {
  test('what is explicit wins, field by field', () => {
    const partial = {
      name: 'a',
      resources: { tasks: 2, memoryMiBPerNode: 5 },
      env: { A: '1', B: '2' },
      dependsOn: [{ job: 1 }],
    };
    const explicit = { script: 'x', resources: { memoryMiBPerCpu: 3 }, env: { B: '3' }, dependsOn: [] };
    expect(applySubmission(partial, explicit)).toEqual({
      ...{ name: 'a', script: 'x', env: { A: '1', B: '3' }, dependsOn: [] },
      resources: { tasks: 2, memoryMiBPerCpu: 3 },
    });
  });

  test('a field named __proto__ stays a field', () => {
    const applied = applySubmission({ env: {} }, JSON.parse('{"env": {"__proto__": "x"}}'));
    expect(Object.keys(applied.env ?? {})).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(applied.env)).toBe(Object.prototype);
  });

  test('what is not even an object is left for validation to refuse', () => {
    expect(applySubmission({ resources: { tasks: 2 } }, { resources: 'many' })).toEqual({ resources: 'many' });
  });
});
