import { mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** When this state directory was made: what is older than it may have been lost with an earlier one. */
export async function stateBirthMs(stateDir: string): Promise<number> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, 'born');
  await open(path, 'wx', 0o600).then(
    (file) => file.close(),
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  return (await stat(path)).mtimeMs;
}

/** Clocks of broker and agent may differ by less than this. */
const CLOCK_MARGIN_MS = 300_000;

/** A run id is a UUIDv7: its first 48 bits are the millisecond of its making (RFC 9562 section 5.7). */
export function isYounger(runId: string, birthMs: number): boolean {
  if (runId[14] !== '7') return false;
  return Number.parseInt(runId.slice(0, 8) + runId.slice(9, 13), 16) > birthMs + CLOCK_MARGIN_MS;
}
