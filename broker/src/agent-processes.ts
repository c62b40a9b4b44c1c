import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type AgentProcesses = {
  /** Starts the agent of this YAML file and keeps it running. */
  start(file: string): void;
  /** Ends all agents; the jobs they look after live on and are adopted at the next start. */
  stop(): Promise<void>;
};

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
/** Whoever ran so long died of something new. */
const HEALTHY_MS = 60_000;
const STOP_MS = 3000;

/** The agents that this broker itself looks after: those of the default clusters, each a child process with its own log. */
export function createAgentProcesses(options: {
  logDir: string;
  warn: (sentence: string) => void;
  command?: readonly string[];
}): AgentProcesses {
  const { logDir, warn, command = agentCommand() } = options;
  const children = new Set<ChildProcess>();
  const retries = new Set<NodeJS.Timeout>();
  let stopping = false;
  mkdirSync(logDir, { recursive: true, mode: 0o700 });

  function start(file: string, retryMs = FIRST_RETRY_MS): void {
    const name = file.replace(/^.*\//, '').replace(/\.yaml$/, '');
    const logFile = join(logDir, `${name}.log`);
    const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
    endOrphan(file);
    const started = performance.now();
    // A process group of its own: Ctrl-C at the terminal reaches the broker alone, which then ends its agents in order.
    const child = spawn(command[0]!, [...command.slice(1), 'agent', 'run', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    children.add(child);
    if (child.pid) writeFileSync(pidFile(file), `${child.pid}\n`, { mode: 0o600 });
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    const ended = (how: string) => {
      if (!children.delete(child)) return;
      log.end();
      if (stopping) return;
      const wait = performance.now() - started > HEALTHY_MS ? FIRST_RETRY_MS : retryMs;
      warn(`The agent of ${name} ended (${how}); next try in ${Math.round(wait / 1000)} s. Its log: ${logFile}`);
      const retry = setTimeout(() => {
        retries.delete(retry);
        start(file, Math.min(wait * 2, LONGEST_RETRY_MS));
      }, wait);
      retries.add(retry);
    };
    child.once('error', (error) => ended(error.message));
    child.once('close', (code, signal) => ended(signal ?? `exit code ${code}`));
  }

  return {
    start: (file) => start(file),
    stop: async () => {
      stopping = true;
      for (const retry of retries) clearTimeout(retry);
      await Promise.all([...children].map(end));
    },
  };
}

/** The agent files of all starts, with the address that this broker listens on today. */
export function agentFiles(dir: string, broker: string): string[] {
  if (!existsSync(dir)) return [];
  const files = readdirSync(dir)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(dir, name));
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const current = text.replace(/^broker: .*$/m, `broker: ${broker}`);
    if (current !== text) writeFileSync(file, current, { mode: 0o600 });
  }
  return files;
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const hard = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.once('close', () => {
      clearTimeout(hard);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

/** A broker that was killed leaves its agents behind; two of them for one cluster would take the session from each other for ever. */
function endOrphan(file: string): void {
  const pid = existsSync(pidFile(file)) ? Number(readFileSync(pidFile(file), 'utf8')) : 0;
  if (!Number.isSafeInteger(pid) || pid <= 1 || !commandLine(pid).includes(file)) return;
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    // It ended by itself in between.
  }
}

function commandLine(pid: number): string {
  try {
    return existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

function pidFile(file: string): string {
  return file.replace(/\.yaml$/, '.pid');
}

/** In a checkout the command line's source, in a release the bundle that lies beside this one. */
export function agentCommand(): string[] {
  const bundled = join(import.meta.dirname, 'yard.js');
  const source = join(import.meta.dirname, '../../cli/src/main.ts');
  return [process.execPath, existsSync(bundled) ? bundled : source];
}
