import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventStream, type FakeBroker, problem, startFakeBroker } from '../testing/fake-broker.ts';
import { runYard } from '../testing/run-yard.ts';
import { endedJob, sampleJob } from '../testing/sample-job.ts';

let broker: FakeBroker;
let dir: string;
beforeEach(async () => {
  broker = await startFakeBroker();
  dir = mkdtempSync(join(tmpdir(), 'yard-submit-'));
});
afterEach(async () => {
  await broker.close();
  rmSync(dir, { recursive: true });
});

const accept = () => broker.on('POST /v1/jobs', () => ({ status: 201, body: sampleJob({ state: 'queued' }) }));
const yard = (...args: string[]) => runYard(args, { url: broker.url, cwd: dir });
const spec = () => (broker.received[0]!.body as { spec: Record<string, unknown> }).spec;

function script(text = '#!/bin/sh\nhostname\n', name = 'relax.sh'): string {
  writeFileSync(join(dir, name), text);
  return name;
}

test('a script is sent as it is, called like its file, to run here', async () => {
  accept();
  const { code, stdout, stderr } = await yard('submit', script());
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'Submitted job 42\n', stderr: '' });
  expect(spec()).toEqual({ name: 'relax.sh', workdir: dir, script: '#!/bin/sh\nhostname\n' });
  expect(broker.received[0]!.headers.authorization).toBe('Bearer yt_test-token');
});

test('the directives of a script win over what yard would fill in', async () => {
  accept();
  await yard('submit', script('#!/bin/sh\n#SBATCH --job-name=mine\n#SBATCH -D /scratch\n'));
  expect(Object.keys(spec())).toEqual(['script']);
});

test('a script from stdin', async () => {
  accept();
  const { stdout } = await runYard(['submit', '-q', '-'], { url: broker.url, stdin: '#!/bin/sh\ndate\n' });
  expect(stdout).toBe('42\n');
  expect(spec()).toEqual({ workdir: '/scratch/here', script: '#!/bin/sh\ndate\n' });
});

test('words after -- are the command, options among them too', async () => {
  accept();
  await yard('submit', '--name', 'x', '--', 'sh', '-c', 'echo "$1"', '--', '--help');
  expect(spec()).toEqual({ name: 'x', workdir: dir, command: ['sh', '-c', 'echo "$1"', '--', '--help'] });
});

test('a document, with options over it', async () => {
  accept();
  const file = script(
    'name: pi\ncommand: [pi, "50"]\nworkdir: /scratch\nresources: {cpusPerTask: 2, nodes: 1}\n',
    'job.yaml',
  );
  await yard('submit', file, '--cpus-per-task', '4', '--label', 'a=b=c');
  expect(spec()).toEqual({
    name: 'pi',
    command: ['pi', '50'],
    workdir: '/scratch',
    resources: { cpusPerTask: 4, nodes: 1 },
    labels: { a: 'b=c' },
  });
});

test('a lost answer is asked for again under the same key', async () => {
  broker.on('POST /v1/jobs', (_, times) => (times < 3 ? 'drop' : { status: 201, body: sampleJob() }));
  const { code, stdout } = await yard('submit', script());
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'Submitted job 42\n' });
  const keys = broker.received.map(({ headers }) => headers['idempotency-key']);
  expect(keys).toHaveLength(3);
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
});

test('two submits have two keys', async () => {
  accept();
  await yard('submit', script());
  await yard('submit', script());
  const keys = broker.received.map(({ headers }) => headers['idempotency-key']);
  expect(new Set(keys).size).toBe(2);
});

test.each([
  ['unsatisfiable', 422, 3],
  ['invalid_spec', 422, 2],
  ['forbidden', 403, 5],
  ['unauthenticated', 401, 5],
  ['unknown_job', 404, 4],
  ['quota_exceeded', 409, 5],
  ['internal', 500, 1],
])('%s ends with exit code %#', async (code, status, exitCode) => {
  broker.on('POST /v1/jobs', () => problem(status, code, 'What was wrong.', { hint: 'What to do.' }));
  const ran = await yard('submit', script());
  expect(ran.code).toBe(exitCode);
  expect(ran.stderr).toMatch(/^yard: What was wrong\.\nhint: \S.*\n$/);
  expect(broker.received).toHaveLength(1);
});

test('every problem of a spec has its line', async () => {
  const problems = [
    { path: '/resources/nodez', message: "there is no 'nodez' here", hint: "did you mean 'nodes'?" },
    { path: '/name', message: 'too long' },
  ];
  broker.on('POST /v1/jobs', () => problem(422, 'invalid_spec', 'Two things are wrong.', { details: { problems } }));
  const { stderr } = await yard('submit', script());
  expect(stderr).toBe(
    "yard: Two things are wrong.\n  /resources/nodez: there is no 'nodez' here (did you mean 'nodes'?)\n  /name: too long\n",
  );
});

test.each<[string, string[], RegExp]>([
  ['arguments of a script', ['submit', 'relax.sh', 'input.dat'], /takes no arguments.*'input.dat'/],
  ['a script and a command', ['submit', 'relax.sh', '--', 'hostname'], /not both/],
  ['nothing', ['submit'], /nothing to submit/],
  ['no such file', ['submit', 'absent.sh'], /no file absent.sh/],
  ['a bad time', ['submit', '--time', 'soon', '--', 'true'], /--time: 'soon' is not a time limit/],
  ['a bad count', ['submit', '-n', '0', '--', 'true'], /--ntasks: '0' is not a number above 0/],
  ['an unknown option', ['submit', '--nodez', '2', '--', 'true'], /unknown option '--nodez'[\s\S]*--nodes/],
])('%s is a usage error that costs no request', async (_, args, message) => {
  script();
  const { code, stderr } = await yard(...args);
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
  expect(broker.received).toHaveLength(0);
});

test('a program instead of a script is told apart', async () => {
  writeFileSync(join(dir, 'program'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff]));
  const { code, stderr } = await yard('submit', 'program');
  expect(code).toBe(2);
  expect(stderr).toContain('hint: If it is a program: yard submit -- program');
});

test('a dry run shows every cluster and submits nothing', async () => {
  broker.on('POST /v1/jobs', () => ({
    body: {
      placements: [{ cluster: 'north', pool: 'normal', score: 1, why: 'most free' }],
      refusals: [{ cluster: 'east', kind: 'cordoned', permanent: false, sentence: 'it is cordoned' }],
      wait: null,
      spec: {},
    },
  }));
  const { code, stdout, stderr } = await yard('submit', '--dry-run', script());
  expect(code).toBe(0);
  expect(broker.received[0]!.query.get('dryRun')).toBe('true');
  expect(stdout).toBe(
    'CLUSTER  POOL    VERDICT    WHY\nnorth    normal  ✔\u00a0chosen   most free\neast     -       ◔\u00a0not-now  it is cordoned\n',
  );
  expect(stderr).toBe('It would go to north now; nothing was submitted.\n');
});

test.each([
  ['succeeded', endedJob(), 0, '✔ job 42 succeeded on north after 12s.'],
  [
    'failed',
    endedJob({ state: 'failed', reason: 'exit_code', exitCode: 3 }),
    3,
    '✖ job 42 failed on north (exit code 3) after 12s.',
  ],
  [
    'killed',
    endedJob({ state: 'failed', reason: 'signal', signal: 'KILL' }),
    137,
    '✖ job 42 failed on north (signal KILL) after 12s.',
  ],
  [
    'walltime',
    endedJob({ state: 'failed', reason: 'walltime' }),
    1,
    '✖ job 42 failed on north (time limit reached) after 12s.',
  ],
  [
    'cancelled',
    endedJob({ state: 'cancelled', reason: 'cancelled_by_user' }),
    143,
    '⊘ job 42 cancelled on north (by its owner) after 12s.',
  ],
])('--wait: a job that %s', async (_, job, code, sentence) => {
  accept();
  broker.on('GET /v1/jobs/42', (__, times) => ({ body: times === 1 ? sampleJob() : job }));
  broker.on('GET /v1/jobs/42/events', () => eventStream([{ data: { sequence: 1, kind: 'ended' } }]));
  const ran = await yard('submit', '--wait', script());
  expect(ran.stdout).toBe('Submitted job 42\n/scratch/yard-42.out\n');
  expect(ran.stderr).toBe(`job 42 ●\u00a0running on north as 1234\n${sentence}\n`);
  expect(ran.code).toBe(code);
});

test('--wait: a failure of yard itself is 125, also a wrong option', async () => {
  broker.on('POST /v1/jobs', () => problem(422, 'unsatisfiable', 'Nothing can.'));
  expect((await yard('submit', '--wait', script())).code).toBe(125);
  expect((await yard('submit', '--wait', '--nodez', '1', script())).code).toBe(125);
});

test('--wait: Ctrl-C ends the wait, not the job', async () => {
  accept();
  broker.on('GET /v1/jobs/42', () => ({ body: sampleJob() }));
  broker.on('GET /v1/jobs/42/events', () => eventStream([], true));
  let interrupt = () => {};
  const asked = new Promise<void>((resolve) => {
    broker.on('GET /v1/jobs/42', () => {
      setImmediate(resolve);
      return { body: sampleJob() };
    });
  });
  const running = runYard(['submit', '--wait', script()], {
    url: broker.url,
    cwd: dir,
    onListening: (now) => {
      interrupt = now;
    },
  });
  await asked;
  interrupt();
  const { code, stderr } = await running;
  expect(code).toBe(130);
  expect(stderr).toContain('Job 42 goes on');
  expect(broker.received.some(({ path }) => path.endsWith('/cancel'))).toBe(false);
});
