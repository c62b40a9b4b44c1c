import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventStream, type FakeBroker, startFakeBroker } from './testing/fake-broker.ts';
import { endedJob, sampleJob } from './testing/sample-job.ts';

/** The launcher and the program as real processes. */
const LAUNCHER = join(import.meta.dirname, '../bin/yard.js');

let broker: FakeBroker;
let home: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  broker = await startFakeBroker();
  home = mkdtempSync(join(tmpdir(), 'yard-process-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await broker.close();
  rmSync(home, { recursive: true });
});

function start(...args: string[]): ChildProcess {
  child = spawn(process.execPath, [LAUNCHER, ...args], {
    env: { PATH: process.env['PATH'], HOME: home, YARD_URL: broker.url, YARD_TOKEN: 'yt_test-token' },
    // A group of its own, so that a test can press Ctrl-C for all of it as a terminal does.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return child;
}

async function ended(process: ChildProcess) {
  const text = { stdout: '', stderr: '' };
  process.stdout!.on('data', (chunk) => (text.stdout += chunk));
  process.stderr!.on('data', (chunk) => (text.stderr += chunk));
  const [code, signal] = await once(process, 'close');
  return { code, signal, ...text };
}

test("the launcher gives the job's own code on", async () => {
  broker.on('GET /v1/jobs/42', () => ({ body: endedJob({ state: 'failed', reason: 'exit_code', exitCode: 77 }) }));
  broker.on('GET /v1/jobs/42/events', () => eventStream([]));
  const { code, stdout } = await ended(start('wait', '42'));
  expect({ code, stdout }).toEqual({ code: 77, stdout: '/scratch/yard-42.out\n' });
});

test('a reader that has seen enough is no error', async () => {
  const items = Array.from({ length: 1000 }, (_, at) => sampleJob({ number: at + 1, name: 'n'.repeat(500) }));
  broker.on('GET /v1/jobs', () => ({ body: { items, nextCursor: null } }));
  const yard = start('ps', '--limit', '1000');
  yard.stdout!.once('data', () => yard.stdout!.destroy());
  let stderr = '';
  yard.stderr!.on('data', (chunk) => (stderr += chunk));
  const [code] = await once(yard, 'exit');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('Ctrl-C ends the wait with 130 and nothing else', async () => {
  let asked = () => {};
  const waiting = new Promise<void>((resolve) => {
    asked = resolve;
  });
  broker.on('GET /v1/jobs/42', () => ({ body: sampleJob() }));
  broker.on('GET /v1/jobs/42/events', () => eventStream([], true, asked));
  const yard = start('wait', '42');
  const result = ended(yard);
  await waiting;
  process.kill(-yard.pid!, 'SIGINT');
  expect(await result).toMatchObject({ code: 130, signal: null, stderr: expect.stringContaining('Job 42 goes on') });
  expect(broker.received.every(({ method }) => method === 'GET')).toBe(true);
});

test('a launcher that is ended by TERM ends by TERM, its child too', async () => {
  let asked = () => {};
  const waiting = new Promise<void>((resolve) => {
    asked = resolve;
  });
  broker.on('GET /v1/jobs/42', () => ({ body: sampleJob() }));
  broker.on('GET /v1/jobs/42/events', () => eventStream([], true, asked));
  const yard = start('wait', '42');
  const result = ended(yard);
  await waiting;
  yard.kill('SIGTERM');
  expect(await result).toMatchObject({ code: null, signal: 'SIGTERM' });
});
