import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunRecord, type TrackedRun, trackRun } from './tracked-run.ts';

/**
 * What the agent writes into a run's directory beside the claims. `offer.json` tells a restarted agent what the directory is;
 * `native` is the id that the cluster gave. Neither decides anything: that is the claims' alone.
 */
export async function saveOffer(directory: string, record: RunRecord): Promise<void> {
  await writeFile(join(directory, 'offer.json'), JSON.stringify(record), { mode: 0o600 });
}

export async function saveNativeId(directory: string, nativeId: string, submittedAtMs: number): Promise<void> {
  await writeFile(join(directory, 'native'), `${nativeId} ${submittedAtMs}\n`, { mode: 0o600 });
}

/** A run as an earlier agent left it, with the tasks whose claims are taken; null for a directory that never got its offer. */
export async function loadRun(directory: string): Promise<{ run: TrackedRun; claimed: number[] } | null> {
  const names = await readdir(directory);
  const record = readRecord((await readText(join(directory, 'offer.json'))) ?? '');
  if (record === null) return null;
  const run = trackRun(record);
  const native = /^(\S+) (\d+)\n$/.exec((await readText(join(directory, 'native'))) ?? '');
  if (native) {
    run.nativeId = native[1]!;
    run.nativeSubmittedAtMs = Number(native[2]);
    run.placed = true;
  }
  return { run, claimed: names.filter((name) => /^\d+$/.test(name)).map(Number) };
}

/** A file that is half written comes from a crash: the broker offers that run again. */
function readRecord(text: string): RunRecord | null {
  try {
    return JSON.parse(text) as RunRecord;
  } catch {
    return null;
  }
}

/** The runs that have a directory. */
export async function listRunIds(stateDir: string): Promise<string[]> {
  try {
    return await readdir(join(stateDir, 'runs'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
