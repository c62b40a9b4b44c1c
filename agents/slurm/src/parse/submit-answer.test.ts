import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readFixture } from '../read-fixture.ts';
import { parseSubmitAnswer } from './submit-answer.ts';

function recorded(name: string) {
  const [first, ...rest] = readFixture(`sbatch/22.05/${name}`).split('\n');
  const lines = rest.join('\n');
  return parseSubmitAnswer({
    exitCode: Number(first!.slice(5)),
    stdout: first === 'exit 0' ? lines : '',
    stderr: first === 'exit 0' ? '' : lines,
  });
}

test('accepted', () => {
  expect(recorded('accepted')).toEqual({ kind: 'submitted', nativeId: '16' });
});

test.each([
  [
    'invalid-partition',
    'invalid partition specified: nowhere; Batch job submission failed: Invalid partition name specified',
  ],
  [
    'too-much-memory',
    'Memory specification can not be satisfied; Batch job submission failed: Requested node configuration is not available',
  ],
  ['array-too-large', 'Batch job submission failed: Invalid job array specification'],
  ['invalid-reservation', 'Batch job submission failed: Requested reservation is invalid'],
  ['invalid-constraint', 'Batch job submission failed: Invalid feature specification'],
  ['invalid-licence', 'Batch job submission failed: Invalid license specification'],
  ['invalid-node', 'Batch job submission failed: Invalid node name specified'],
  ['invalid-gres', 'Invalid generic resource (gres) specification'],
  ['invalid-time', 'Invalid --time specification'],
  ['invalid-mem', 'Invalid --mem specification'],
  ['unknown-option', "sbatch: unrecognized option '--banana'"],
  ['empty-script', 'Batch script is empty!'],
  ['dos-script', 'Batch script contains DOS line breaks'],
])('%s is refused for good', (name, words) => {
  expect(recorded(name)).toEqual({ kind: 'refused', permanent: true, sentence: expect.stringContaining(words) });
});

test('a drained partition is refused for now', () => {
  expect(recorded('drained-partition')).toMatchObject({ kind: 'refused', permanent: false });
});

test.each(['reply-close', 'reply-stall', 'connection-refused'])('%s may have been accepted', (name) => {
  expect(recorded(name).kind).toBe('unknown');
});

const failed = (message: string) => `sbatch: error: Batch job submission failed: ${message}\n`;

describe('messages from other releases and sites', () => {
  test.each<[exitCode: number | null, stdout: string, stderr: string, expected: object]>([
    [0, '123;north\n', '', { kind: 'submitted', nativeId: '123' }],
    [0, 'Welcome to North!\n\n4711\n', 'sbatch: lua: project charged\n', { kind: 'submitted', nativeId: '4711' }],
    [0, '', '', { kind: 'unknown' }],
    [0, 'Submitted batch job 12\n', '', { kind: 'unknown' }],
    [null, '', 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n', { kind: 'unknown' }],
    [255, '', 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n', { kind: 'unknown' }],
    [1, '', failed('Socket timed out on send/recv operation'), { kind: 'unknown' }],
    [1, '', failed('Unable to contact slurm controller (receive failure)'), { kind: 'unknown' }],
    [1, '', failed('Message receive failure'), { kind: 'unknown' }],
    [1, '', failed('Protocol authentication error'), { kind: 'unknown' }],
    [1, '', failed('Invalid authentication credential'), { kind: 'unknown' }],
    [1, '', failed('Invalid argument'), { kind: 'unknown' }],
    [1, '', failed('something no release has said yet'), { kind: 'unknown' }],
    [
      1,
      '',
      'sbatch: error: If munged is up, restart with --num-threads=10\nsbatch: fatal: failed to initialize auth plugin\n',
      { kind: 'unknown' },
    ],
    [
      1,
      '',
      `sbatch: error: AssocMaxSubmitJobLimit\n${failed("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)")}`,
      { kind: 'refused', permanent: false },
    ],
    [
      1,
      '',
      `sbatch: error: QOSMaxWallDurationPerJobLimit\n${failed("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)")}`,
      { kind: 'refused', permanent: true },
    ],
    [
      1,
      '',
      `sbatch: error: lua: no project given\n${failed('Unspecified error')}`,
      { kind: 'refused', permanent: true, sentence: expect.stringContaining('lua: no project given') },
    ],
    [1, '', failed('Invalid account or account/partition combination specified'), { kind: 'refused', permanent: true }],
    [139, '', '', { kind: 'unknown' }],
  ])('exit %s %j %j', (exitCode, stdout, stderr, expected) => {
    expect(parseSubmitAnswer({ exitCode, stdout, stderr })).toMatchObject(expected);
  });
});

test('every end gives an answer, and only an id line is a submission', () => {
  fc.assert(
    fc.property(fc.option(fc.integer({ min: 0, max: 255 })), fc.string(), fc.string(), (exitCode, stdout, stderr) => {
      const answer = parseSubmitAnswer({ exitCode, stdout, stderr });
      if (answer.kind === 'submitted') expect(stdout).toContain(answer.nativeId);
    }),
  );
});
