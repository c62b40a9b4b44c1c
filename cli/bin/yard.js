#!/usr/bin/env node
// Starts the command line with the pinned Node of the lock file, whatever Node started this launcher.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const pinned = join(here, '..', '..', 'node_modules', '.bin', 'node');
const child = spawn(
  existsSync(pinned) ? pinned : process.execPath,
  [join(here, '..', 'src', 'main.ts'), ...process.argv.slice(2)],
  {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'switchyard-compile-cache'), ...process.env },
  },
);
// The terminal sends SIGINT to the whole foreground group: the child has its own already.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  if (signal) process.kill(process.pid, signal === 'SIGINT' ? 'SIGKILL' : signal);
  else process.exit(code ?? 125);
});
