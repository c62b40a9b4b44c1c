import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

export type Daemon = {
  readonly pid: number;
  readonly running: () => boolean;
  /** Sends the signal and waits for the end. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
  /** What it wrote, for the message of a failure. */
  readonly said: () => string;
};

/** A daemon in the foreground of its own session, which the kernel kills should this test process die (prctl(2)). */
export function startDaemon(argv: readonly string[], env: NodeJS.ProcessEnv, logFile: string, cwd = '/'): Daemon {
  const log = openSync(logFile, 'a');
  const [file, ...args] = [...DIES_WITH_US, ...argv];
  const child = spawn(file, args, {
    env,
    cwd,
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  child.once('error', () => {});
  const running = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? -1,
    running,
    stop: (signal = 'SIGTERM') => stop(child, running, signal),
    said: () => readFileSync(logFile, 'utf8').slice(-4000),
  };
}

const DIES_WITH_US = ['setpriv', '--pdeathsig', 'KILL', '--'] as const;
const STOP_MS = 15_000;

async function stop(child: ChildProcess, running: () => boolean, signal: NodeJS.Signals): Promise<void> {
  if (!running()) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const impatient = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(impatient);
}
