import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobEvent, JobFacts, Launch, LocalJob } from './job.ts';
import { newJob, replay } from './replay.ts';

/**
 * The queue on disk: `<stateDir>/local/<id>/` holds `job.json` (facts and launch), `script` and `history`, one event a line.
 * Nothing is synced: it must survive this process, and a host that crashes takes the jobs with it. What is torn or lost is
 * harmless, for only a claim lets a payload start.
 */
export type StateFolder = {
  /** Numbers the job, and returns when it is stored; throws when it is not. */
  create(facts: Omit<JobFacts, 'id'>, launch: Launch, script: string): JobFacts;
  append(id: number, event: JobEvent): void;
  readLaunch(id: number): Launch;
  scriptPath(id: number): string;
  /** All jobs, by number. */
  load(): LocalJob[];
  remove(id: number): Promise<void>;
};

export function openStateFolder(stateDir: string): StateFolder {
  const root = join(stateDir, 'local');
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const folder = (id: number) => join(root, String(id));
  let lastId = Math.max(readLastId(root), ...jobIds(root));

  return {
    create: (facts, launch, script) => {
      // mkdir is what takes a number: not even a second agent by mistake can use it twice.
      lastId = makeNext(root, lastId);
      const whole: JobFacts = { id: lastId, ...facts };
      try {
        saveLastId(root, lastId);
        writeFileSync(join(folder(lastId), 'script'), script, { mode: 0o600 });
        writeFileSync(join(folder(lastId), 'job.json'), JSON.stringify({ facts: whole, launch }), { mode: 0o600 });
      } catch (error) {
        rmSync(folder(lastId), { recursive: true, force: true });
        throw error;
      }
      return whole;
    },
    // The line break comes first, so that what a crash left half written spoils no later line.
    append: (id, event) => appendFileSync(join(folder(id), 'history'), `\n${JSON.stringify(event)}`, { mode: 0o600 }),
    readLaunch: (id) => readJob(folder(id)).launch,
    scriptPath: (id) => join(folder(id), 'script'),
    load: () =>
      jobIds(root)
        .sort((left, right) => left - right)
        .flatMap((id) => loadJob(folder(id)) ?? []),
    remove: (id) => rm(folder(id), { recursive: true, force: true }),
  };
}

function readLastId(root: string): number {
  return Number(readIfThere(join(root, 'last-id')).trim()) || 0;
}

/** Renamed into place: half a number would be used again once all folders are purged. */
function saveLastId(root: string, lastId: number): void {
  writeFileSync(join(root, 'last-id.new'), `${lastId}\n`, { mode: 0o600 });
  renameSync(join(root, 'last-id.new'), join(root, 'last-id'));
}

function jobIds(root: string): number[] {
  return readdirSync(root)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function makeNext(root: string, lastId: number): number {
  for (let id = lastId + 1; ; id += 1) {
    try {
      mkdirSync(join(root, String(id)), { mode: 0o700 });
      return id;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

function readJob(folder: string): { facts: JobFacts; launch: Launch } {
  return JSON.parse(readFileSync(join(folder, 'job.json'), 'utf8')) as { facts: JobFacts; launch: Launch };
}

/** A job whose file is half written was never accepted: its folder goes. */
function loadJob(folder: string): LocalJob | null {
  let job: LocalJob;
  try {
    job = newJob(readJob(folder).facts);
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return null;
  }
  for (const line of readIfThere(join(folder, 'history')).split('\n')) {
    const event = parseEvent(line);
    if (event) replay(job, event);
  }
  return job;
}

/** Only a crash or a full disk leaves half a line; what it would have said is found out again. */
function parseEvent(line: string): JobEvent | null {
  try {
    return JSON.parse(line) as JobEvent;
  } catch {
    return null;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
