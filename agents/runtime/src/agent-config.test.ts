import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { AgentConfigError, readAgentConfig } from './agent-config.ts';

const sections = {
  slurm: z.strictObject({ conf: z.string().optional(), timeoutMs: z.int().default(5) }),
  kubernetes: z.strictObject({}),
};
const good = { cluster: 'north', kind: 'slurm', broker: '127.0.0.1:8471', token: 'yc_x', stateDir: '/shared/yard' };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'yard-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(content: unknown, env: NodeJS.ProcessEnv = { HOME: '/home/ada' }, mode = 0o600) {
  const file = join(folder, 'north.yaml');
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content), { mode });
  return readAgentConfig(file, sections, env);
}

async function problems(content: unknown, env?: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const error = await read(content, env).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AgentConfigError);
  return (error as AgentConfigError).problems;
}

it('fills in what is not said', async () => {
  expect(await read(good)).toEqual({
    ...{ cluster: 'north', kind: 'slurm', broker: '127.0.0.1:8471', token: 'yc_x', stateDir: '/shared/yard' },
    ...{ defaultWorkdir: '/home/ada', backlog: 200, filesystems: [], labels: {}, policy: {} },
    ...{ section: { timeoutMs: 5 }, warnings: [] },
  });
});

it('reads what is said', async () => {
  const config = await read({
    ...good,
    slurm: { conf: '/etc/slurm.conf' },
    tls: { caFile: '/etc/ca.pem' },
    policy: { allowedPools: ['main'], maxWalltimeSeconds: 3600 },
    filesystems: [{ id: 'scratch', pathPrefix: '/scratch' }],
  });
  expect(config).toMatchObject({
    section: { conf: '/etc/slurm.conf', timeoutMs: 5 },
    tls: { caFile: '/etc/ca.pem' },
    policy: { allowedPools: ['main'] },
  });
});

it('names every problem at once, unknown keys with the nearest known one', async () => {
  const found = await problems({
    ...good,
    cluster: 'North',
    broker: 'nowhere',
    statedir: '/x',
    slurm: { config: 1 },
    policy: { allowedPool: [] },
  });
  expect(found.join('\n')).toContain("there is no 'statedir'; did you mean 'stateDir'?");
  expect(found.join('\n')).toContain("there is no 'config' in slurm; did you mean 'conf'?");
  expect(found.join('\n')).toContain("there is no 'allowedPool' in policy; did you mean 'allowedPools'?");
  expect(found.join('\n')).toMatch(/cluster: .*lower-case/);
  expect(found.join('\n')).toMatch(/broker: must be host:port/);
});

it('says what is missing', async () => {
  expect(await problems({ kind: 'slurm' })).toEqual([
    'cluster: is missing',
    'broker: is missing',
    'stateDir: is missing',
  ]);
  expect((await problems({ ...good, token: undefined }))[0]).toContain('YARD_AGENT_TOKEN');
  expect((await problems({ ...good, kind: 'lsf' }))[0]).toContain("no agent for 'lsf'");
  expect((await problems('cluster: [')).length).toBeGreaterThan(0);
  expect((await problems('')).length).toBeGreaterThan(0);
});

it('wants to know the federation of a Kubernetes agent, and takes that of any other', async () => {
  const kubernetes = { ...good, kind: 'kubernetes' };
  expect((await read({ ...good, federation: 'ab2c' })).federation).toBe('ab2c');
  expect((await read({ ...kubernetes, federation: 'ab2c' })).federation).toBe('ab2c');
  const [missing, ...others] = await problems(kubernetes);
  expect(others).toEqual([]);
  expect(missing).toMatch(/^federation: is missing; .*'yard cluster add' prints it/);
  // Unquoted, 2345 and 2e34 are numbers in YAML.
  for (const federation of ['Prod', 'abc', 'abcde', 'ab1c', 2345])
    expect((await problems({ ...good, federation }))[0]).toMatch(/^federation: must be the four characters/);
});

it('takes the token from the environment first, or from a file', async () => {
  writeFileSync(join(folder, 'token'), 'yc_file\n');
  expect((await read({ ...good, token: undefined, tokenFile: join(folder, 'token') })).token).toBe('yc_file');
  expect((await read(good, { YARD_AGENT_TOKEN: 'yc_env' })).token).toBe('yc_env');
});

it('warns of a file that others can read', async () => {
  expect((await read(good, {}, 0o644)).warnings[0]).toContain('chmod 600');
});
