import { mkdir, open, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { KnownRun } from './backend.ts';

/**
 * Runs whose directories are gone: one line of JSON each in a daily file, kept for 30 days. An Offer of a forgotten run is
 * answered from here, never submitted.
 */
export type ForgottenLog = {
  /** On disk when this resolves. */
  append(runs: readonly KnownRun[]): Promise<void>;
  find(runId: string): Promise<KnownRun | null>;
  /** Runs with a higher placement number than a database that may have gone back in time. */
  above(placementNumber: number): Promise<KnownRun[]>;
};

const KEPT_DAYS = 30;
const DAY_MS = 86_400_000;

export async function openForgottenLog(stateDir: string, now: () => number = Date.now): Promise<ForgottenLog> {
  const folder = join(stateDir, 'forgotten');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // 28 bits of each run id: nearly every look-up is answered without reading files, at some 20 bytes a run.
  const marks = new Set<number>();
  let highest = 0;
  await removeOld(folder, now());
  for (const run of await readAll(folder)) note(run);

  function note(run: KnownRun): void {
    marks.add(mark(run.order.runId));
    highest = Math.max(highest, run.order.placementNumber);
  }

  return {
    append: async (runs) => {
      if (runs.length === 0) return;
      const day = new Date(now()).toISOString().slice(0, 10);
      const file = await open(join(folder, `${day}.jsonl`), 'a', 0o600);
      try {
        const isNew = (await file.stat()).size === 0;
        await file.writeFile(runs.map((run) => `${JSON.stringify(run)}\n`).join(''));
        await file.sync();
        if (isNew) await removeOld(folder, now());
      } finally {
        await file.close();
      }
      for (const run of runs) note(run);
    },
    find: async (runId) => {
      if (!marks.has(mark(runId))) return null;
      return (await readAll(folder)).findLast((run) => run.order.runId === runId) ?? null;
    },
    above: async (placementNumber) => {
      if (placementNumber >= highest) return [];
      return (await readAll(folder)).filter((run) => run.order.placementNumber > placementNumber);
    },
  };
}

function mark(runId: string): number {
  return Number.parseInt(runId.slice(-7), 16);
}

async function readAll(folder: string): Promise<KnownRun[]> {
  const runs: KnownRun[] = [];
  for (const name of (await days(folder)).sort()) {
    const text = await readFile(join(folder, name), 'utf8');
    for (const line of text.split('\n')) {
      const run = readLine(line);
      if (run) runs.push(run);
    }
  }
  return runs;
}

/** The last line of a file may be half written: its run was not reported as forgotten, so its directory is still there. */
function readLine(line: string): KnownRun | null {
  try {
    return line === '' ? null : (JSON.parse(line) as KnownRun);
  } catch {
    return null;
  }
}

async function removeOld(folder: string, nowMs: number): Promise<void> {
  for (const name of await days(folder))
    if (nowMs - Date.parse(name.slice(0, 10)) > (KEPT_DAYS + 1) * DAY_MS) await unlink(join(folder, name));
}

async function days(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^\d{4}-\d{2}-\d{2}\.jsonl$/.test(name));
}
