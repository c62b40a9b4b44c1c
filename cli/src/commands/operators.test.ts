import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type FakeBroker, problem, startFakeBroker } from '../testing/fake-broker.ts';
import { runYard } from '../testing/run-yard.ts';
import { endedJob, sampleJob } from '../testing/sample-job.ts';

let broker: FakeBroker;
let home: string;
beforeEach(async () => {
  broker = await startFakeBroker();
  home = mkdtempSync(join(tmpdir(), 'yard-home-'));
});
afterEach(async () => {
  await broker.close();
  rmSync(home, { recursive: true });
});

const yard = (...args: string[]) => runYard(args, { url: broker.url });

test('cancel goes on after a job that cannot be cancelled and ends with its code', async () => {
  broker.on('POST /v1/jobs/1/cancel', () => ({ status: 202, body: sampleJob({ number: 1 }) }));
  broker.on('POST /v1/jobs/2/cancel', () => problem(404, 'unknown_job', 'There is no job 2.'));
  broker.on('POST /v1/jobs/3/cancel', () => ({ body: endedJob({ number: 3 }) }));
  expect(await yard('cancel', '1', '2', '3', '1')).toMatchObject({
    code: 4,
    stdout: '',
    stderr: 'job 1 is being cancelled on north\njob 2: There is no job 2.\njob 3 had already ended: succeeded\n',
  });
});

test('release says how every job stands now', async () => {
  broker.on('POST /v1/jobs/1/release', () => ({ body: sampleJob({ number: 1, state: 'queued' }) }));
  broker.on('POST /v1/jobs/2/release', () => problem(404, 'unknown_job', 'There is no job 2.'));
  broker.on('POST /v1/jobs/3/release', () => ({ body: endedJob({ number: 3 }) }));
  expect(await yard('release', '1', '2', '3')).toMatchObject({
    code: 4,
    stdout: '',
    stderr: 'job 1 is queued\njob 2: There is no job 2.\njob 3 had already ended: succeeded\n',
  });
});

test.each(['slurm', 'kubernetes', 'local'])(
  'cluster add prints a whole agent file of kind %s, and words beside it',
  async (kind) => {
    broker.on('POST /v1/clusters', () => ({
      status: 201,
      body: { name: 'north', token: 'yc_secret', broker: 'broker.site:8471', federation: '2e34' },
    }));
    const { code, stdout, stderr } = await yard('cluster', 'add', 'north', '--kind', kind);
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({
      cluster: 'north',
      federation: '2e34',
      kind,
      broker: 'broker.site:8471',
      token: 'yc_secret',
    });
    expect(stderr).not.toContain('yc_secret');
    expect(stderr).toContain('yard agent run north.yaml');
  },
);

test('cluster add is never repeated by itself', async () => {
  broker.on('POST /v1/clusters', () => 'drop');
  const { code, stderr } = await yard('cluster', 'add', 'north');
  expect(code).toBe(1);
  expect(stderr).toContain('Whether it was done is not known');
  expect(broker.received).toHaveLength(1);
});

test.each(['cordon', 'drain', 'activate'])('cluster %s', async (verb) => {
  broker.on(`POST /v1/clusters/north/${verb}`, () => ({ body: {} }));
  expect((await yard('cluster', verb, 'north', '--why', 'new racks')).code).toBe(0);
  expect(broker.received[0]!.body).toEqual({ why: 'new racks' });
});

test('cluster forget wants the word of a person', async () => {
  broker.on('POST /v1/clusters/north/forget', () => ({ body: {} }));
  expect((await yard('cluster', 'forget', 'north')).code).toBe(2);
  expect(broker.received).toHaveLength(0);
  expect((await yard('cluster', 'forget', 'north', '--runs-are-dead')).code).toBe(0);
  expect(broker.received[0]!.body).toEqual({ runsAreDead: true });
});

const config = () => join(home, 'switchyard', 'config.yaml');
const login = (stdin: string, ...args: string[]) =>
  runYard(['login', '--url', broker.url, '--token-stdin', ...args], { stdin, env: { XDG_CONFIG_HOME: home } });

test('login tries the token and keeps it where only its owner reads', async () => {
  broker.on('GET /v1/clusters', () => ({ body: { items: [], paused: null } }));
  const { code, stdout, stderr } = await login('yt_0123456789\n');
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).not.toContain('yt_0123456789');
  expect(broker.received[0]!.headers.authorization).toBe('Bearer yt_0123456789');
  expect(parse(readFileSync(config(), 'utf8'))).toEqual({
    current: 'default',
    contexts: { default: { url: broker.url, token: 'yt_0123456789' } },
  });
  expect(statSync(config()).mode & 0o777).toBe(0o600);
  expect(statSync(join(home, 'switchyard')).mode & 0o777).toBe(0o700);
});

test('login keeps the other contexts, and a refused token changes nothing', async () => {
  broker.on('GET /v1/clusters', ({ headers }) =>
    headers.authorization?.endsWith('good-token')
      ? { body: { items: [], paused: null } }
      : problem(401, 'unauthenticated', 'That token is not known.'),
  );
  await login('yt_good-token', '--context', 'a');
  await login('yt_good-token', '--context', 'b');
  const before = readFileSync(config(), 'utf8');
  expect(parse(before)).toMatchObject({ current: 'b', contexts: { a: {}, b: {} } });
  expect((await login('yt_wrong-one', '--context', 'a')).code).toBe(5);
  expect(readFileSync(config(), 'utf8')).toBe(before);
});

test('a context is used by name, by YARD_CONTEXT, and by default', async () => {
  broker.on('GET /v1/clusters', () => ({ body: { items: [], paused: null } }));
  broker.on('GET /v1/jobs', () => ({ body: { items: [], nextCursor: null } }));
  await login('yt_token-a', '--context', 'a');
  await login('yt_token-b', '--context', 'b');
  const token = async (args: string[], env: NodeJS.ProcessEnv = {}) => {
    const { code } = await runYard(args, { env: { XDG_CONFIG_HOME: home, ...env } });
    return code === 0 ? broker.received.at(-1)!.headers.authorization : code;
  };
  expect(await token(['ps'])).toBe('Bearer yt_token-b');
  expect(await token(['ps', '--context', 'a'])).toBe('Bearer yt_token-a');
  expect(await token(['--context', 'a', 'ps'])).toBe('Bearer yt_token-a');
  expect(await token(['ps'], { YARD_CONTEXT: 'a' })).toBe('Bearer yt_token-a');
  expect(await token(['ps'], { YARD_TOKEN: 'yt_other' })).toBe('Bearer yt_other');
  expect(await token(['ps', '--context', 'c'])).toBe(2);
});

test("a context's token is never sent to another address", async () => {
  broker.on('GET /v1/clusters', () => ({ body: { items: [], paused: null } }));
  await login('yt_token-a');
  const count = broker.received.length;
  const env = { XDG_CONFIG_HOME: home, YARD_URL: broker.url.replace('127.0.0.1', 'localhost') };
  expect(await runYard(['ps'], { env })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('There is no token for'),
  });
  expect(broker.received).toHaveLength(count);
});

test('a broken configuration is named without showing what is in it', async () => {
  broker.on('GET /v1/clusters', () => ({ body: { items: [], paused: null } }));
  await login('yt_0123456789');
  writeFileSync(config(), 'contexts: {a: {token: "yt_secret');
  const { code, stderr } = await runYard(['ps'], { env: { XDG_CONFIG_HOME: home } });
  expect(code).toBe(1);
  expect(stderr).toContain('is not valid YAML');
  expect(stderr).not.toContain('yt_secret');
});

test('without any broker the first step is named', async () => {
  expect(await runYard(['ps'])).toMatchObject({ code: 2, stderr: expect.stringContaining('yard login') });
});
