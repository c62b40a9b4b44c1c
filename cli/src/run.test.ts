import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FakeBroker, startFakeBroker } from './testing/fake-broker.ts';
import { runYard } from './testing/run-yard.ts';
import { sampleJob } from './testing/sample-job.ts';

let broker: FakeBroker;
beforeEach(async () => {
  broker = await startFakeBroker();
});
afterEach(() => broker.close());

test('no words give the short help', async () => {
  const { code, stdout } = await runYard([]);
  expect(code).toBe(0);
  expect(stdout).toContain('Usage: yard COMMAND');
  expect(stdout).not.toContain('__complete');
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test.each([
  ['help', 'ps'],
  ['ps', '--help'],
  ['ps', '-h'],
])('%s %s shows the options of the command', async (...args) => {
  const { code, stdout } = await runYard(args);
  expect(code).toBe(0);
  expect(stdout).toContain('--state <states>');
});

test('an unknown command is answered with the nearest one', async () => {
  expect(await runYard(['sumbit'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean submit?') });
  expect(await runYard(['cluster', 'ad'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Did you mean add?'),
  });
});

test('version', async () => {
  expect((await runYard(['version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('a broker that is not there is one sentence', async () => {
  await broker.close();
  const { code, stderr } = await runYard(['ps'], { url: broker.url });
  expect(code).toBe(1);
  expect(stderr).toContain(`No answer from the broker at ${broker.url}: connection refused.`);
  expect(stderr.trim().split('\n')).toHaveLength(2);
});

test('an answer that is no broker is said so', async () => {
  broker.on('GET /v1/jobs', () => ({ body: Buffer.from('<html>'), headers: { 'content-type': 'text/html' } }));
  expect((await runYard(['ps'], { url: broker.url })).stderr).toContain('is not a Switchyard broker');
});

test.each(['bash', 'zsh', 'fish'])('completion script for %s', async (shell) => {
  const { code, stdout } = await runYard(['completion', shell]);
  expect(code).toBe(0);
  expect(stdout).toContain('yard __complete -- ');
});

const complete = async (...words: string[]) =>
  (await runYard(['__complete', '--', ...words], { url: broker.url })).stdout.trimEnd().split('\n');

test('completion of commands, options, values, jobs and clusters', async () => {
  const items = [sampleJob({ name: 'evil\u001b\tname' }), sampleJob({ number: 43 })];
  broker.on('GET /v1/jobs', () => ({ body: { items, nextCursor: null } }));
  broker.on('GET /v1/clusters', () => ({ body: { items: [{ name: 'north', kind: 'slurm', state: 'connected' }] } }));
  expect(await complete('c')).toEqual(
    expect.arrayContaining([expect.stringMatching(/^cancel\t/), expect.stringMatching(/^clusters\t/)]),
  );
  expect(await complete('ps', '--st')).toEqual([expect.stringMatching(/^--state\t/)]);
  expect(await complete('ps', '-o', 'y')).toEqual(['yaml']);
  expect(await complete('cancel', '')).toEqual(['42\tevil\\x1b\\tname (running)', '43\trelax (running)']);
  expect(await complete('logs', '43')).toEqual(['43\trelax (running)']);
  expect(await complete('cluster', 'd')).toEqual([expect.stringMatching(/^drain\t/)]);
  expect(await complete('cluster', 'drain', '')).toEqual(['north\tslurm, connected']);
  expect(await complete('submit', '--cluster', 'n')).toEqual(['north\tslurm, connected']);
  expect(await complete('submit', '--', '')).toEqual(['']);
});

test('completion is silent about every problem', async () => {
  await broker.close();
  expect(await runYard(['__complete', '--', 'show', ''], { url: broker.url })).toMatchObject({
    code: 0,
    stdout: '',
    stderr: '',
  });
});
