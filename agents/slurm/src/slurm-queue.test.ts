import type { CommandResult } from '@switchyard/agent-runtime/run-local.ts';
import { jobSpecSchema } from '@switchyard/core/spec/job-spec.ts';
import { expect, test } from 'vitest';
import type { Argv } from './commands.ts';
import { ListingUntrusted } from './parse/listing.ts';
import { readFixture } from './read-fixture.ts';
import { slurmQueue } from './slurm-queue.ts';

const MARKER = 'ydtest-aaaaaaaaaaaaaaaaaaaaaaaaaa';
const said = (stdout: string, stderr = '', code = 0): CommandResult => ({ kind: 'exited', code, stdout, stderr });

/** Answers from recorded output, and keeps what was asked. */
function world(answers: Record<string, CommandResult | undefined> = {}) {
  const asked: string[] = [];
  let nowMs = 1_795_271_520_000;
  const run = async (argv: Argv): Promise<CommandResult> => {
    const what = nameOf(argv);
    asked.push(what);
    const answer = answers[what];
    if (answer) return answer;
    const nonce = /--format=(yard[0-9a-f]+:)/.exec(argv.join(' '))?.[1] ?? '';
    return said(readFixture(RECORDED[what]!).replaceAll(/^nonce:/gm, nonce));
  };
  const queue = slurmQueue({}, { run, uid: 0, nowMs: () => nowMs });
  const later = (ms: number) => {
    nowMs += ms;
  };
  return { queue, asked, later, take: () => asked.splice(0) };
}

const RECORDED: Record<string, string> = {
  list: 'squeue/22.05/all-kinds',
  exits: 'squeue/22.05/exit-codes',
  config: 'scontrol-config/22.05/with-accounting',
  partition: 'scontrol-partition/22.05/three-overlapping',
  node: 'scontrol-node/22.05/used-drained-and-down',
  sacct: 'sacct/22.05/ends',
};

function nameOf(argv: Argv): string {
  if (argv[0] === 'squeue') return argv.some((each) => each.startsWith('--Format')) ? 'exits' : 'list';
  return argv[0] === 'scontrol' ? argv.at(-1)! : argv[0];
}

test('a poll is one listing, and capacity between polls one look at the nodes', async () => {
  const { queue, later, take } = world();
  await queue.list();
  await queue.capacity();
  take();
  for (let poll = 0; poll < 5; poll += 1) {
    later(1000);
    await queue.list();
  }
  // Once for all failed jobs together, after a while, for the exit codes that the listing has not.
  expect(take()).toEqual(['list', 'list', 'list', 'exits', 'list', 'list']);
  await queue.capacity();
  expect(take()).toEqual(['node']);
  later(61_000);
  await queue.capacity();
  expect(take().sort()).toEqual(['config', 'list', 'node', 'partition']);
});

test('shows our jobs alone, and of a failed one its exit when it is known', async () => {
  const { queue, later } = world();
  const failed = async () => (await queue.list()).find((job) => job.nativeId === '2')!;
  expect((await queue.list()).every((job) => job.marker === MARKER)).toBe(true);
  expect((await failed()).exitCode).toBeNull();
  later(4000);
  expect((await failed()).exitCode).toBe(200);
  expect((await queue.list()).find((job) => job.nativeId === '3')).toMatchObject({ signal: 9 });
});

test.each<[string, CommandResult]>([
  ['exit 0 and an error', said('', 'slurm_load_jobs error: Socket timed out on send/recv operation\n')],
  ['exit 1', said('', 'slurm_load_jobs error: Zero Bytes were transmitted or received\n', 1)],
  ['no output at all', said('')],
  ['half a line', said('JOBID')],
  ['a timeout', { kind: 'timeout', stdout: '', stderr: '' }],
  ['too much output', { kind: 'too_much_output', stdout: '', stderr: '' }],
  ['no squeue', { kind: 'not_found', message: 'ENOENT', stdout: '', stderr: '' }],
  ['a signal', { kind: 'signalled', signal: 'KILL', stdout: '', stderr: '' }],
])('%s is no empty queue', async (_what, answer) => {
  const { queue } = world({ list: answer });
  await expect(queue.list()).rejects.toThrow(ListingUntrusted);
});

test('a listing does not depend on anything but squeue', async () => {
  const down = said('', 'slurm_load_ctl_conf error: Unable to contact slurm controller\n', 1);
  const { queue } = world({ config: down, exits: down });
  expect((await queue.list()).length).toBeGreaterThan(5);
  await expect(queue.capacity()).rejects.toThrow('scontrol ended with 1');
});

const order = {
  runId: '',
  placementNumber: 1,
  jobId: '',
  jobNumber: 1,
  attempt: 1,
  tasks: '0',
  specHash: '',
  pool: 'batch',
  groupPath: 'g',
  owner: 'o',
  marker: MARKER,
  spec: jobSpecSchema.parse({ script: '#!/bin/sh\n' }),
};
const wrapper = { script: '', environment: {}, stdoutPath: '/o', stderrPath: '/o', workdir: '/', arrayTasks: '' };

test.each<[string, CommandResult, object]>([
  ['accepted', said('12\n'), { kind: 'submitted', nativeId: '12' }],
  ['killed by us', { kind: 'timeout', stdout: '', stderr: '' }, { kind: 'unknown' }],
  ['killed by us after it printed the id', { kind: 'timeout', stdout: '12\n', stderr: '' }, { kind: 'submitted' }],
  [
    'never run',
    { kind: 'not_found', message: 'spawn sbatch ENOENT', stdout: '', stderr: '' },
    { kind: 'refused', permanent: false },
  ],
])('a submit that was %s', async (_what, answer, expected) => {
  const { queue } = world({ sbatch: answer });
  expect(await queue.submit(order, wrapper)).toMatchObject(expected);
});

test('what the configuration does not allow never reaches sbatch', async () => {
  const asked: Argv[] = [];
  const run = async (argv: Argv) => {
    asked.push(argv);
    return said('1\n');
  };
  const queue = slurmQueue({ partitions: ['batch'] }, { run, uid: 0 });
  expect(await queue.submit({ ...order, pool: 'gpu' }, wrapper)).toMatchObject({
    kind: 'refused',
    permanent: true,
    sentence: "this agent may not use partition 'gpu'",
  });
  expect(await queue.submit({ ...order, pool: '' }, wrapper)).toMatchObject({ kind: 'refused' });
  expect(asked).toEqual([]);
  expect(await queue.submit(order, wrapper)).toMatchObject({ kind: 'submitted' });
});

test.each<[string, CommandResult, boolean]>([
  ['done', said(''), true],
  [
    'over in between',
    said('', 'scancel: error: Kill job error on job id 6: Job/step already completing or completed\n', 60),
    true,
  ],
  [
    'an answer that got lost',
    said('', 'scancel: error: Kill job error on job id 6: Socket timed out on send/recv operation\n', 140),
    false,
  ],
  ['a timeout', { kind: 'timeout', stdout: '', stderr: '' }, false],
])('a kill: %s', async (_what, answer, isDone) => {
  const { queue, asked } = world({ scancel: answer });
  const kill = queue.kill([{ nativeId: '6', marker: MARKER }]);
  await (isDone ? expect(kill).resolves.toBeUndefined() : expect(kill).rejects.toThrow('scancel'));
  expect(asked).toEqual(['list', 'scancel']);
});

test('nothing is killed that is over, absent, or not ours', async () => {
  const { queue, asked } = world();
  await queue.kill(['2', '8', '7_99', '999', '10'].map((nativeId) => ({ nativeId, marker: MARKER })));
  await queue.kill([]);
  expect(asked).toEqual(['list']);
});

test('accounting is asked only where there is one', async () => {
  const none = world({ config: said(readFixture('scontrol-config/22.05/no-accounting')) });
  expect(await none.queue.accounting(['1'])).toEqual([]);
  expect(none.asked).toEqual(['config']);
  expect((await world().queue.accounting(['1'])).length).toBeGreaterThan(5);
});
