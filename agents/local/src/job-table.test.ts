import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { cancelWaiting, openJobTable } from './job-table.ts';
import { nativeLines } from './native-lines.ts';

const dir = mkdtempSync(join(tmpdir(), 'yard-table-'));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const launch = { environment: {}, stdoutPath: '/dev/null', stderrPath: '/dev/null', stdinPath: null, workdir: '/' };
const facts = (tasks: string) => ({
  ...{ marker: 'm', runId: 'r', submittedAtMs: 1, isArray: true, tasks, walltimeSeconds: null, signal: null },
  size: { cpus: 1, memoryMiB: 1 },
});

test('purges what ended long ago, and numbers go on after that', async () => {
  const table = openJobTable(dir);
  const old = table.add(facts('0-9'), launch, '');
  const fresh = table.add(facts('0-9'), launch, '');
  const waiting = table.add(facts('0-3999999'), launch, '');
  table.note(old, cancelWaiting(old.waiting, '', 1000));
  table.note(fresh, cancelWaiting(fresh.waiting, '', 3000));
  await table.purge(2000);
  expect([...table.jobs.values()]).toEqual([fresh, waiting]);
  expect(existsSync(join(dir, 'local/1'))).toBe(false);
  await table.purge(4000);
  await table.purge(4000);
  table.note(waiting, cancelWaiting([[5, 5]], '', 5000));
  expect(nativeLines(waiting).map(({ nativeId, tasks, phase }) => [nativeId, tasks, phase])).toEqual([
    ['3_5', '5', 'ended'],
    ['3', '0-4,6-3999999', 'waiting'],
  ]);
  const again = openJobTable(dir);
  expect([...again.jobs.values()]).toEqual([waiting]);
  expect(again.add(facts('0'), launch, '').facts.id).toBe(4);
});
