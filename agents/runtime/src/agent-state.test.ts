import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KnownRun } from './backend.ts';
import { openForgottenLog } from './forgotten-log.ts';
import { openHighestPlacement } from './highest-placement.ts';
import { nextPollMs } from './poll-pace.ts';
import { isYounger, stateBirthMs } from './state-birth.ts';
import { takeStateLock } from './state-lock.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'yard-state-'));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

describe('the highest placement number', () => {
  it('is on disk when raise resolves, and never falls', async () => {
    const highest = await openHighestPlacement(stateDir);
    expect(highest.value()).toBe(0);
    await Promise.all([5, 12, 7, 3].map((seen) => highest.raise(seen)));
    await highest.raise(4);
    expect(readFileSync(join(stateDir, 'highest-placement'), 'utf8')).toBe('12\n');
    expect((await openHighestPlacement(stateDir)).value()).toBe(12);
  });

  it('refuses a file that holds none', async () => {
    writeFileSync(join(stateDir, 'highest-placement'), 'x');
    await expect(openHighestPlacement(stateDir)).rejects.toThrow('not a number');
  });
});

describe('the log of forgotten runs', () => {
  const known = (runId: string, placementNumber: number) =>
    ({
      order: { runId, placementNumber, jobId: 'j' },
      status: { runId, ends: [] },
      forgotten: true,
    }) as unknown as KnownRun;
  const [first, second] = ['00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002'];

  it('finds a run again, after a restart too, and those above a number', async () => {
    const log = await openForgottenLog(stateDir);
    await log.append([known(first!, 3), known(second!, 8)]);
    for (const each of [log, await openForgottenLog(stateDir)]) {
      expect(await each.find(first!)).toMatchObject({ order: { placementNumber: 3 } });
      expect(await each.find('00000000-0000-7000-8000-000000000003')).toBe(null);
      expect(await each.among([second!, '00000000-0000-7000-8000-000000000003'])).toEqual(new Set([second]));
      expect((await each.above(3)).map(({ order }) => order.runId)).toEqual([second]);
      expect(await each.above(8)).toEqual([]);
    }
  });

  it('survives a line that a crash cut short', async () => {
    const log = await openForgottenLog(stateDir);
    await log.append([known(first!, 3)]);
    const [name] = readdirSync(join(stateDir, 'forgotten'));
    writeFileSync(join(stateDir, 'forgotten', name!), '{"order":{"runId', { flag: 'a' });
    const reopened = await openForgottenLog(stateDir);
    expect(await reopened.find(first!)).not.toBe(null);
    await reopened.append([known(second!, 4)]);
    for (const each of [reopened, await openForgottenLog(stateDir)]) expect(await each.find(second!)).not.toBe(null);
  });

  it('keeps 30 days', async () => {
    let now = Date.UTC(2026, 0, 1);
    const log = await openForgottenLog(stateDir, () => now);
    await log.append([known(first!, 3)]);
    now += 30 * 86_400_000;
    await log.append([known(second!, 4)]);
    expect(await log.find(first!)).not.toBe(null);
    now += 2 * 86_400_000;
    await log.append([known(second!, 4)]);
    expect(await log.find(first!)).toBe(null);
  });
});

describe('the lock of a state directory', () => {
  it('is one agent’s, until it ends', async () => {
    const lock = await takeStateLock(stateDir);
    await expect(takeStateLock(stateDir, 200)).rejects.toThrow('another agent');
    await lock.release();
    await (await takeStateLock(stateDir)).release();
    expect(existsSync(join(stateDir, 'agent.lock'))).toBe(false);
  });

  it('is taken over from a process that is gone, whoever has its number now', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    writeFileSync(join(stateDir, 'agent.lock'), `${hostname()} ${child.pid} 12345\n`);
    await (await takeStateLock(stateDir, 200)).release();
    writeFileSync(join(stateDir, 'agent.lock'), `${hostname()} ${process.pid} 1\n`);
    await (await takeStateLock(stateDir, 200)).release();
  });
});

it('knows the age of a run against that of its state directory', async () => {
  const birth = await stateBirthMs(stateDir);
  expect(await stateBirthMs(stateDir)).toBe(birth);
  const id = (ms: number) => {
    const hex = ms.toString(16).padStart(12, '0');
    return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
  };
  expect(isYounger(id(Math.round(birth) + 400_000), birth)).toBe(true);
  expect(isYounger(id(Math.round(birth) + 200_000), birth)).toBe(false);
  expect(isYounger(id(Math.round(birth) + 400_000).replace('-7000-', '-4000-'), birth)).toBe(false);
});

it('polls often while something changes, seldom when idle, and never more than a tenth of the time', () => {
  const pace = { listingMs: 5, quietMs: 0, restless: false, open: 3 };
  expect(nextPollMs(pace)).toBe(150);
  expect(nextPollMs({ ...pace, quietMs: 20_000 })).toBe(2000);
  expect(nextPollMs({ ...pace, quietMs: 3_600_000 })).toBe(10_000);
  expect(nextPollMs({ ...pace, quietMs: 3_600_000, restless: true })).toBe(1000);
  expect(nextPollMs({ ...pace, listingMs: 3000 })).toBe(30_000);
  expect(nextPollMs({ ...pace, open: 0 })).toBe(15_000);
});
