import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { agentFiles, createAgentProcesses } from './agent-processes.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'switchyard-agents-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Stands for the command line: says that it runs, and lives as long as its file says. */
function fakeAgent(life: string): string[] {
  const program = join(dir, 'agent.mjs');
  writeFileSync(program, `console.log('started', process.argv.slice(2).join(' ')); ${life}`);
  return [process.execPath, program];
}

const lives = 'setInterval(() => {}, 1000)';
const log = () => (existsSync(join(dir, 'east.log')) ? readFileSync(join(dir, 'east.log'), 'utf8') : '');
const starts = () => log().match(/started/g)?.length ?? 0;

test('starts the files of its folder and ends them all', async () => {
  const file = join(dir, 'east.yaml');
  writeFileSync(file, 'cluster: east\nbroker: 127.0.0.1:1\n');
  expect(agentFiles(dir, '127.0.0.1:2')).toEqual([file]);
  expect(readFileSync(file, 'utf8')).toBe('cluster: east\nbroker: 127.0.0.1:2\n');
  const agents = createAgentProcesses({ logDir: dir, warn: () => {}, command: fakeAgent(lives) });
  agents.start(file);
  await expect.poll(log).toContain(`started agent run ${file}`);
  const pid = Number(readFileSync(join(dir, 'east.pid'), 'utf8'));
  await agents.stop();
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('an agent that ends is started again, and somebody is told', async () => {
  const told: string[] = [];
  const agents = createAgentProcesses({
    logDir: dir,
    warn: (line) => told.push(line),
    command: fakeAgent('process.exit(3)'),
  });
  agents.start(join(dir, 'east.yaml'));
  await expect.poll(starts, { timeout: 5000 }).toBeGreaterThanOrEqual(2);
  await agents.stop();
  expect(told[0]).toContain('exit code 3');
});

test('what a killed broker left behind is ended before its successor starts', async () => {
  const file = join(dir, 'east.yaml');
  const command = fakeAgent(lives);
  const killed = createAgentProcesses({ logDir: dir, warn: () => {}, command });
  killed.start(file);
  await expect.poll(starts).toBe(1);
  const orphan = Number(readFileSync(join(dir, 'east.pid'), 'utf8'));
  const next = createAgentProcesses({ logDir: dir, warn: () => {}, command });
  next.start(file);
  await expect.poll(() => alive(orphan)).toBe(false);
  await Promise.all([next.stop(), killed.stop()]);
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
