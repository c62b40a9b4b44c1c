import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runYard } from '../testing/run-yard.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'yard-agent-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const yard = (...args: string[]) => runYard(['agent', ...args], { cwd: dir });

test('an absent file is a usage error', async () => {
  expect(await yard('run', 'absent.yaml')).toMatchObject({
    code: 2,
    stderr: 'yard: absent.yaml cannot be read: ENOENT.\n',
  });
});

test('every problem of a file has its line, and the token is in none', async () => {
  writeFileSync(join(dir, 'a.yaml'), 'cluster: north\nkind: slurm\nbroker: nowhere\ntokn: yc_secret\n');
  const { code, stderr } = await yard('check', 'a.yaml');
  expect(code).toBe(2);
  expect(stderr).toContain('yard: a.yaml cannot be used:\n');
  expect(stderr).toContain("there is no 'tokn'; did you mean 'token'?");
  expect(stderr).toContain('broker: must be host:port');
  expect(stderr).not.toContain('yc_secret');
});
