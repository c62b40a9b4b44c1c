import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export type StateLock = { release(): Promise<void> };

/** An agent that was told to end needs a moment; its successor is often there before it has gone. */
const PATIENCE_MS = 8000;
const LOOK_AGAIN_MS = 100;

/**
 * One agent for one state directory on this host: two would take the session from each other for ever. A lock whose process
 * is gone is taken over, and so is one of another host, for nobody here can ask after it; claims keep even that harmless.
 */
export async function takeStateLock(stateDir: string, patienceMs = PATIENCE_MS): Promise<StateLock> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, 'agent.lock');
  const mine = `${hostname()} ${process.pid} ${await startOf(process.pid)}\n`;
  const until = performance.now() + patienceMs;
  for (;;) {
    try {
      await writeFile(path, mine, { flag: 'wx', mode: 0o600 });
      return { release: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await liveHolder(path);
    if (holder === null) await rm(path, { force: true });
    else if (performance.now() > until)
      throw new Error(`another agent (process ${holder}) uses the state directory ${stateDir}`);
    else await delay(LOOK_AGAIN_MS);
  }
}

async function liveHolder(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const [host, pid, start] = text.trim().split(' ');
  return host === hostname() && pid && start && (await startOf(Number(pid))) === start ? pid : null;
}

/** When a process started, so that a number that came round again is not taken for it; '' when it is gone. */
async function startOf(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    try {
      process.kill(pid, 0);
      return 'alive';
    } catch {
      return '';
    }
  }
}
