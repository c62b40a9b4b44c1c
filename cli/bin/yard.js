#!/usr/bin/env node
// Starts the command line with the pinned Node of the lock file, whatever Node started this launcher.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const pinned = join(here, '..', '..', 'node_modules', '.bin', 'node');
// The cache holds code: only its owner may be able to write there, so never a shared /tmp.
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'switchyard', 'node');
const child = spawn(
  existsSync(pinned) ? pinned : process.execPath,
  [join(here, '..', 'src', 'main.ts'), ...process.argv.slice(2)],
  { stdio: 'inherit', env: { NODE_COMPILE_CACHE: cache, ...process.env } },
);
// The terminal sends SIGINT to the whole foreground group: the child has its own already.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
  process.stderr.write(`yard: cannot start Node: ${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => {
  if (signal === null) process.exit(code ?? 1);
  // Our own handlers would swallow it: end as the child ended, so that a shell sees the same.
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
