import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatRangeSet, fromIndexes, indexes, type RangeSet } from '@switchyard/core/spec/range-set.ts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { GO_PATH } from '../names.ts';
import { commandOf, LAUNCHER, NOT_LAUNCHED_EXIT } from './launcher.ts';
import { makeOrder } from './testing/make-order.ts';

/** The shells that stand behind /bin/sh in the images that people use. */
const SHELLS = [
  { name: 'dash', argv: ['dash'] },
  { name: 'bash --posix', argv: ['bash', '--posix'] },
  { name: 'busybox sh', argv: ['busybox', 'sh'] },
];
const present = SHELLS.filter(({ argv }) => spawnSync(argv[0]!, [...argv.slice(1), '-c', ':']).status === 0);

describe('what a container runs', () => {
  const one = { nodes: 1, gangSeconds: 300 };

  it('is the script itself, or the argv itself, of a plain job', () => {
    expect(commandOf(makeOrder({ script: '#!/bin/sh\n' }), one)).toEqual({ command: ['/yard/script'] });
    const command = ['echo', '$HOME', '$(HOME)', '$$', ''];
    expect(commandOf(makeOrder({ command }), one)).toEqual({
      command: ['echo', '$$HOME', '$$(HOME)', '$$$$', ''],
    });
  });

  it('is the launcher for tasks of an array and nodes of a gang', () => {
    const array = commandOf(makeOrder({ command: ['a$'], array: { tasks: '3,5' } }, { tasks: '5' }), one);
    expect(array.command.slice(0, 2)).toEqual(['/bin/sh', '-c']);
    expect(array.command[3]).toBe('yard');
    expect(array.args).toEqual(['5', '0', 'a$$']);
    expect(commandOf(makeOrder({ script: '#!/bin/sh\n' }), { nodes: 2, gangSeconds: 60 }).args).toEqual([
      '',
      '180',
      '/yard/script',
    ]);
  });
});

describe.each(present)('the launcher under $name', ({ argv }) => {
  let folder: string;
  let text: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'yard-launcher-'));
    text = LAUNCHER.replaceAll(GO_PATH, join(folder, 'go'));
    writeFileSync(join(folder, 'go'), '');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function argumentsFor(tasks: string, wait: number, payload: readonly string[]) {
    return [...argv.slice(1), '-c', text, 'yard', tasks, String(wait), ...payload];
  }

  /** It waits once it catches TERM (bit 15 of SigCgt, proc(5)), which it does for nothing else. */
  function startWaiting(payload: readonly string[]) {
    const child = spawn(argv[0]!, argumentsFor('', 60, payload), { stdio: ['ignore', 'pipe', 'inherit'] });
    const caught = () => BigInt(`0x${/SigCgt:\s*(\w+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]}`);
    const waits = () => vi.waitFor(() => expect(caught() & (1n << 14n)).not.toBe(0n), 10_000);
    return { child, waits };
  }

  function run(tasks: string, index: string | undefined, payload: readonly string[], wait = 0) {
    return spawnSync(argv[0]!, argumentsFor(tasks, wait, payload), {
      encoding: 'utf8',
      // As in a container: bash takes a socket for a remote login and reads the user's own files.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...(index === undefined ? {} : { JOB_COMPLETION_INDEX: index }) },
    });
  }

  function taskOf(set: RangeSet, index: number): string {
    return run(formatRangeSet(set), String(index), ['printenv', 'YARD_TASK_INDEX', 'SLURM_ARRAY_TASK_ID']).stdout;
  }

  it('finds the task of every index, as core lists them', () => {
    const stepped = fc.record({ first: fc.nat(3_000_000), step: fc.integer({ min: 2, max: 9 }), size: fc.nat(9) });
    const list = fc
      .array(
        fc.oneof(
          fc.uniqueArray(fc.nat(4_000_000), { maxLength: 5 }),
          stepped.map(({ first, step, size }) => Array.from({ length: size }, (_, at) => first + at * step)),
        ),
        { maxLength: 4 },
      )
      .map((lists) => [...new Set(lists.flat()), 7]);
    fc.assert(
      fc.property(list, fc.nat(), (tasks, pick) => {
        const set = fromIndexes(tasks);
        const all = [...indexes(set)];
        const index = pick % all.length;
        expect(taskOf(set, index)).toBe(`${all[index]}\n${all[index]}\n`);
        expect(taskOf(set, all.length - 1)).toBe(`${all.at(-1)}\n${all.at(-1)}\n`);
      }),
      { numRuns: 25 },
    );
    for (const index of [0, 1, 2, 3, 4, 5, 6])
      expect(run('0-4:2,10,20-22', String(index), ['printenv', 'YARD_TASK_INDEX']).stdout).toBe(
        `${[0, 2, 4, 10, 20, 21, 22][index]}\n`,
      );
  });

  it('is quick with the longest list of tasks', () => {
    const set = fromIndexes(Array.from({ length: 8000 }, (_, at) => at * 3 + (at % 2)));
    const started = performance.now();
    expect(taskOf(set, 7999)).toBe('23998\n23998\n');
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it.each([['5'], ['x'], ['-1'], [''], [undefined]])('starts nothing for the index %s', (index) => {
    const result = run('1-5', index, ['echo', 'started']);
    expect([result.status, result.stdout]).toEqual([NOT_LAUNCHED_EXIT, '']);
    expect(result.stderr).toContain('yard: there is no task for the index');
  });

  it('hands over arguments and environment as they are, and nothing of its own', () => {
    const words = ['a b', '', '$HOME', '$(x)', "it's", 'line\nbreak', '*', '-n'];
    expect(run('3', '0', ['printf', '<%s>', ...words]).stdout).toBe(words.map((word) => `<${word}>`).join(''));
    const names = run('3', '0', ['env'])
      .stdout.trim()
      .split('\n')
      .map((line) => line.split('=')[0])
      // Those that shells export by themselves.
      .filter((name) => !['PWD', 'OLDPWD', 'SHLVL', '_'].includes(name!));
    expect(names.sort()).toEqual(['JOB_COMPLETION_INDEX', 'PATH', 'SLURM_ARRAY_TASK_ID', 'YARD_TASK_INDEX']);
  });

  it('leaves word splitting and globbing to the payload as a fresh shell has them', () => {
    const script = join(folder, 'script');
    writeFileSync(script, '#!/bin/sh\nx="a b,c"; printf "<%s>" $x; set -- /*; [ $# -gt 1 ] && echo globs\n', {
      mode: 0o755,
    });
    expect(run('3,4', '1', [script]).stdout).toBe('<a><b,c>globs\n');
  });

  it('ends as the payload does', () => {
    expect(run('0', '0', ['sh', '-c', 'exit 37']).status).toBe(37);
    expect(run('0', '0', ['sh', '-c', 'kill -9 $$']).signal).toBe('SIGKILL');
    expect(run('0', '0', ['/nonexistent/program']).status).toBe(127);
  });

  it('lets a node of a gang wait for the word to go', async () => {
    const { child, waits } = startWaiting(['sh', '-c', 'cat "$0"; exit 5', join(folder, 'go')]);
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    await waits();
    expect(child.exitCode).toBeNull();
    writeFileSync(join(folder, 'go'), 'now');
    expect(await once(child, 'exit')).toEqual([5, null]);
    expect(output).toBe('now');
  });

  it('starts nothing when the word does not come in time', () => {
    const result = run('', undefined, ['echo', 'started'], 1);
    expect([result.status, result.stdout]).toEqual([NOT_LAUNCHED_EXIT, '']);
    expect(result.stderr).toContain('the other nodes of this job were not up within 1 s');
  });

  it('ends at TERM while it waits, even as the first process of a container', async () => {
    const { child, waits } = startWaiting(['touch', join(folder, 'started')]);
    await waits();
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
    expect(() => readFileSync(join(folder, 'started'))).toThrow();
  });

  it('leaves the payload no ignored and no caught signals', async () => {
    writeFileSync(join(folder, 'go'), 'now');
    const payload = ['sh', '-c', 'echo started; exec sleep 60'];
    const child = spawn(argv[0]!, argumentsFor('', 60, payload), { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
  });
});
