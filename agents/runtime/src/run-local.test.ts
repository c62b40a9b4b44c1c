import { expect, it } from 'vitest';
import { runCommand } from './run-local.ts';

const limits = { timeoutMs: 10_000, maxOutputBytes: 100_000 };
const sh = (script: string, more = {}) => runCommand({ file: '/bin/sh', args: ['-c', script], ...limits, ...more });

it('gives output and exit code', async () => {
  expect(await sh('echo out; echo err >&2; exit 3')).toEqual({
    kind: 'exited',
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n',
  });
});

it('passes arguments as they are, through no shell', async () => {
  const args = ['%s|', '$HOME', '`id`', "it's", '', 'a b', '*', '-n;x'];
  expect(await runCommand({ file: 'printf', args, ...limits })).toMatchObject({
    stdout: "$HOME|`id`|it's||a b|*|-n;x|",
  });
});

it('feeds standard input and file descriptor 3', async () => {
  expect(await sh('cat; cat <&3', { stdin: 'one ä', fd3: 'two\0' })).toMatchObject({ stdout: 'one ätwo\0' });
  expect(await sh('cat')).toMatchObject({ kind: 'exited', stdout: '' });
});

it('does not mind a program that reads nothing', async () => {
  expect(await sh('exit 0', { stdin: 'x'.repeat(1_000_000), fd3: 'y'.repeat(1_000_000) })).toMatchObject({ code: 0 });
});

it('kills at the end of its time, also when a grandchild holds the output', async () => {
  expect(await sh('echo early; sleep 60 & sleep 60', { timeoutMs: 200 })).toMatchObject({
    kind: 'timeout',
    stdout: 'early\n',
  });
});

it('tells a signal from an exit', async () => {
  expect(await sh('kill -9 $$')).toMatchObject({ kind: 'signalled', signal: 'KILL' });
});

it('names a program that is not there', async () => {
  expect(await runCommand({ file: '/no/such', args: [], ...limits })).toMatchObject({ kind: 'not_found' });
  expect(await sh('true', { cwd: '/no/such' })).toMatchObject({ kind: 'not_found' });
});

it('trusts nothing of an output beyond its bound', async () => {
  expect(await sh('yes', { maxOutputBytes: 1000 })).toMatchObject({ kind: 'too_much_output' });
});

it('gives the environment that is said, and nothing else', async () => {
  expect(await sh('echo "$A:$B"', { env: { A: '1', B: undefined } })).toMatchObject({ stdout: '1:\n' });
});

it('runs a bounded number at once', async () => {
  const started = performance.now();
  await Promise.all(Array.from({ length: 9 }, () => sh('sleep 0.2')));
  expect(performance.now() - started).toBeGreaterThan(380);
});
