import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, unlink } from 'node:fs/promises';
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
  /** Those of many that are forgotten: each file is read once at most. */
  among(runIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** Runs with a higher placement number than a database that may have gone back in time. */
  above(placementNumber: number): Promise<KnownRun[]>;
};

const KEPT_DAYS = 30;
const DAY_MS = 86_400_000;

export async function openForgottenLog(stateDir: string, now: () => number = Date.now): Promise<ForgottenLog> {
  const folder = join(stateDir, 'forgotten');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // By file, 28 bits of each run id: nearly every look-up is answered without reading files, at some 20 bytes a run.
  const marks = new Map<string, Set<number>>();
  let highest = 0;
  await removeOld();
  for (const name of await days(folder)) for await (const run of readDay(folder, name)) note(name, run);

  function note(name: string, run: KnownRun): void {
    const known = marks.get(name) ?? new Set();
    marks.set(name, known.add(mark(run.order.runId)));
    highest = Math.max(highest, run.order.placementNumber);
  }

  async function removeOld(): Promise<void> {
    for (const name of await days(folder)) {
      if (now() - Date.parse(name.slice(0, 10)) <= (KEPT_DAYS + 1) * DAY_MS) continue;
      await unlink(join(folder, name));
      marks.delete(name);
    }
  }

  return {
    append: async (runs) => {
      if (runs.length === 0) return;
      const name = `${new Date(now()).toISOString().slice(0, 10)}.jsonl`;
      const file = await open(join(folder, name), 'a', 0o600);
      try {
        const isNew = (await file.stat()).size === 0;
        // The line break comes first, so that what a crash or a full disk left half written spoils no later line.
        await file.writeFile(`\n${runs.map((run) => `${JSON.stringify(run)}\n`).join('')}`);
        await file.sync();
        if (isNew) await removeOld();
      } finally {
        await file.close();
      }
      for (const run of runs) note(name, run);
    },
    find: async (runId) => {
      const wanted = mark(runId);
      const names = [...marks].flatMap(([name, known]) => (known.has(wanted) ? [name] : []));
      for (const name of names.sort().reverse()) {
        let found: KnownRun | null = null;
        for await (const run of readDay(folder, name)) if (run.order.runId === runId) found = run;
        if (found) return found;
      }
      return null;
    },
    among: async (runIds) => {
      const forgotten = new Set<string>();
      for (const [name, known] of marks) {
        const wanted = new Set(runIds.filter((runId) => known.has(mark(runId))));
        if (wanted.size === 0) continue;
        for await (const run of readDay(folder, name)) if (wanted.has(run.order.runId)) forgotten.add(run.order.runId);
      }
      return forgotten;
    },
    above: async (placementNumber) => {
      if (placementNumber >= highest) return [];
      const runs: KnownRun[] = [];
      for (const name of await days(folder))
        for await (const run of readDay(folder, name)) if (run.order.placementNumber > placementNumber) runs.push(run);
      return runs;
    },
  };
}

function mark(runId: string): number {
  return Number.parseInt(runId.slice(-7), 16);
}

/** One run after the other: a month of them may be more than there is memory. */
async function* readDay(folder: string, name: string): AsyncGenerator<KnownRun> {
  let rest = '';
  // Not readline, which takes U+2028 for the end of a line, and JSON does not escape it.
  for await (const chunk of createReadStream(join(folder, name), 'utf8')) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const run = readLine(line);
      if (run) yield run;
    }
  }
}

/** The last line of a file may be half written: its run was not reported as forgotten, so its directory is still there. */
function readLine(line: string): KnownRun | null {
  try {
    return line === '' ? null : (JSON.parse(line) as KnownRun);
  } catch {
    return null;
  }
}

async function days(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /^\d{4}-\d{2}-\d{2}\.jsonl$/.test(name)).sort();
}
