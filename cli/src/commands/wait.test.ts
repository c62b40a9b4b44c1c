import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventStream, type FakeBroker, problem, startFakeBroker } from '../testing/fake-broker.ts';
import { runYard } from '../testing/run-yard.ts';
import { endedJob, sampleJob } from '../testing/sample-job.ts';

let broker: FakeBroker;
beforeEach(async () => {
  broker = await startFakeBroker();
});
afterEach(() => broker.close());

const yard = (...args: string[]) => runYard(['wait', ...args], { url: broker.url });

function job(number: number, ...states: object[]): void {
  broker.on(`GET /v1/jobs/${number}`, (_, times) => ({
    body: { ...states[Math.min(times, states.length) - 1], number },
  }));
  broker.on(`GET /v1/jobs/${number}/events`, () => eventStream([{ data: { sequence: 1, kind: 'running' } }], true));
}

test('a line for every change of state, the end as a sentence, the path as data', async () => {
  const queued = sampleJob({ state: 'queued', cluster: null, nativeId: null, waitReason: 'all clusters are full' });
  job(42, queued, sampleJob(), endedJob());
  broker.on('GET /v1/jobs/42/events', () => eventStream([{ data: { sequence: 1 } }]));
  expect(await yard('42')).toMatchObject({
    code: 0,
    stdout: '/scratch/yard-42.out\n',
    stderr: [
      'job 42 ◌\u00a0queued: all clusters are full',
      'job 42 ●\u00a0running on north as 1234',
      '✔ job 42 succeeded on north after 12s.',
      '',
    ].join('\n'),
  });
});

test('on a terminal one line is redrawn and cleared', async () => {
  job(42, sampleJob({ name: 'evil\u001b[2J' }), endedJob());
  const { stderr } = await runYard(['wait', '42'], {
    url: broker.url,
    columns: 60,
    env: { NO_COLOR: '1' },
    nowMs: Date.parse('2026-11-21T12:01:30Z'),
  });
  const clear = '\r\u001b[2K';
  const [before, drawn] = stderr.split(clear);
  expect(before).toBe('');
  expect(drawn).toBe('●\u00a0running  north  90s  job 42  evil\\x1b[2J');
  expect(stderr.endsWith(`${clear}✔ job 42 succeeded on north after 12s.\n`)).toBe(true);
});

test('of several jobs the first that did not succeed gives the code', async () => {
  job(1, endedJob());
  job(2, sampleJob(), endedJob({ state: 'failed', reason: 'exit_code', exitCode: 7 }));
  job(3, endedJob({ state: 'failed', reason: 'exit_code', exitCode: 9 }));
  expect((await yard('-q', '1', '2', '3')).code).toBe(7);
});

test('a broker that restarts is waited for', async () => {
  job(42, endedJob());
  broker.on('GET /v1/jobs/42', (_, times) =>
    times === 1 ? { body: sampleJob() } : times < 7 ? 'drop' : { body: endedJob() },
  );
  const { code, stderr } = await yard('42');
  expect(code).toBe(0);
  expect(stderr).toContain('waiting for the broker: No answer from the broker');
});

test('a job that does not exist is 125: no job ended', async () => {
  broker.on('GET /v1/jobs/7', () => problem(404, 'unknown_job', 'There is no job 7.'));
  expect(await yard('7')).toMatchObject({ code: 125, stderr: expect.stringContaining('yard: There is no job 7.\n') });
});

test('an array tells how many of its tasks succeeded', async () => {
  const tasks = {
    queued: '',
    out: '',
    succeeded: '0-7',
    failed: '8-9',
    cancelled: '',
    counts: { queued: 0, out: 0, running: 0, succeeded: 8, failed: 2, cancelled: 0 },
  };
  job(42, endedJob({ state: 'failed', isArray: true, taskCount: 10, tasks, cluster: null, stdoutPath: null }));
  const { code, stderr } = await yard('42');
  expect(code).toBe(1);
  expect(stderr).toBe('✖ job 42 failed after 12s; 8 of 10 tasks succeeded, 2 failed: 8-9.\n');
});
