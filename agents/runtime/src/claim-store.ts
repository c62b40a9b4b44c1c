import { randomUUID } from 'node:crypto';
import { access, link, mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type ClaimRecord, parseClaim } from '@switchyard/core/lifecycle/claim-record.ts';
import type { End } from '@switchyard/core/lifecycle/evidence.ts';
import { createLimiter } from './limiter.ts';

/** What is known of one claim; `verdict` is the end that the agent itself wrote beside its own claim. */
export type Claim = { readonly record: ClaimRecord; readonly verdict: End | null };

/** What the agent takes a claim for; the words of the claim's first line. */
export type ClaimPurpose = 'withdrawn' | 'cancelled';

/**
 * The agent's side of the claim (design section 5): a hard link of one finished file to the name that only one start can
 * take. Only the agent makes and removes the directories, so where there is none nothing can start.
 */
export type ClaimStore = {
  /** The directory of a run, for the wrapper. */
  directory(runId: string): string;
  /** Makes the run's directory; `fresh` proves that nothing was ever submitted for it from this state directory. */
  make(runId: string): Promise<'fresh' | 'existed'>;
  /** False when somebody removed the directory: nothing can start any more, and nobody can tell what has. */
  has(runId: string): Promise<boolean>;
  /** The claim of one task, or null when nobody has taken it. */
  read(runId: string, task: number): Promise<Claim | null>;
  /** Takes the claims of these tasks; the answer has the claim that holds now, ours (`won`) or another's. */
  take(
    runId: string,
    tasks: Iterable<number>,
    purpose: ClaimPurpose,
    verdict?: End,
  ): Promise<ReadonlyMap<number, Claim & { readonly won: boolean }>>;
  /** At once: no start finds the directory without its claims, whatever crashes meanwhile. */
  remove(runId: string): Promise<void>;
  /** Removes the directory of a run whose tasks nobody knows, unless something of it has started; answers with what has. */
  removeUnstarted(runId: string): Promise<number[]>;
  /** Deletes what a crash left of removed directories. */
  sweep(): Promise<void>;
};

/** NFS answers a link in a millisecond or so: arrays take theirs side by side. */
const CONCURRENT_FILES = 16;
/** ext4 allows 65,000 names for one file. */
const NAMES_PER_FILE = 10_000;

export function openClaimStore(stateDir: string): ClaimStore {
  const limit = createLimiter(CONCURRENT_FILES);
  const directory = (runId: string) => join(stateDir, 'runs', runId);
  const removed = join(stateDir, 'removed');
  const grave = (runId: string) => join(removed, runId);
  const read = (runId: string, task: number) => limit(() => readClaim(join(directory(runId), String(task))));

  return {
    directory,
    read,
    has: (runId) => isThere(directory(runId)),
    make: async (runId) => {
      try {
        await mkdir(directory(runId), { mode: 0o700 });
        return 'fresh';
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return 'existed';
        if (codeOf(error) !== 'ENOENT') throw error;
      }
      await mkdir(join(stateDir, 'runs'), { recursive: true, mode: 0o700 });
      await mkdir(directory(runId), { mode: 0o700 });
      return 'fresh';
    },
    take: async (runId, tasks, purpose, verdict) => {
      const all = [...tasks];
      const result = new Map<number, Claim & { won: boolean }>();
      for (let at = 0; at < all.length; at += NAMES_PER_FILE) {
        const part = all.slice(at, at + NAMES_PER_FILE);
        for (const [task, claim] of await takePart(directory(runId), part, purpose, verdict)) result.set(task, claim);
      }
      return result;
    },
    remove: async (runId) => {
      if (await bury(runId)) await discard(grave(runId));
    },
    removeUnstarted: async (runId) => {
      if (!(await bury(runId))) return [];
      const claimed = (await readdir(grave(runId))).filter((name) => /^\d+$/.test(name)).map(Number);
      const claims = await Promise.all(
        claimed.map(async (task) => ({ task, claim: await limit(() => readClaim(join(grave(runId), String(task)))) })),
      );
      const started = claims.filter(({ claim }) => claim?.record.by === 'wrapper').map(({ task }) => task);
      if (started.length > 0) await rename(grave(runId), directory(runId));
      else await discard(grave(runId));
      return started;
    },
    sweep: () => discard(removed),
  };

  /** Deleting takes time, file by file: a start in the middle would find a claim that is free again. A rename is one step. */
  async function bury(runId: string): Promise<boolean> {
    if (!(await isThere(directory(runId)))) return false;
    await mkdir(removed, { recursive: true, mode: 0o700 });
    await rm(grave(runId), { recursive: true, force: true });
    await rename(directory(runId), grave(runId));
    return true;
  }

  async function takePart(folder: string, tasks: readonly number[], purpose: ClaimPurpose, verdict?: End) {
    const key = randomUUID();
    const mine = join(folder, `.agent.${key}`);
    const text = `${purpose} agent 0 ${hostname()} ${Math.floor(Date.now() / 1000)} ${process.pid}\nkey ${key}\n${verdict ? `verdict ${JSON.stringify(verdict)}\n` : ''}`;
    await writeDurably(mine, text);
    try {
      const taken = await Promise.all(tasks.map((task) => limit(() => takeOne(folder, mine, text, task))));
      // The names must survive a crash of this host as well as the file does: a withdrawal that was reported is final.
      await syncFolder(folder);
      return taken;
    } finally {
      await unlink(mine).catch(() => {});
    }
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    },
  );
}

/** Of no use to anybody: what cannot be deleted now (NFS keeps files that are open) is deleted after the next start. */
async function discard(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => {});
}

/** Whatever link answers (NFS may have done it and say EEXIST), what is there decides. */
async function takeOne(folder: string, mine: string, text: string, task: number) {
  const path = join(folder, String(task));
  const failure = await link(mine, path).then(
    () => null,
    (error: unknown) => error,
  );
  const found = await readText(path);
  if (found === null) throw new Error(`the claim ${path} cannot be taken`, { cause: failure });
  return [task, { ...parse(found.text, found.changedAtMs), won: found.text === text }] as const;
}

async function readClaim(path: string): Promise<Claim | null> {
  const found = await readText(path);
  return found === null ? null : parse(found.text, found.changedAtMs);
}

async function readText(path: string): Promise<{ text: string; changedAtMs: number } | null> {
  try {
    const file = await open(path, 'r');
    try {
      const { mtimeMs } = await file.stat();
      return { text: await file.readFile('utf8'), changedAtMs: mtimeMs };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function parse(text: string, changedAtMs: number): Claim {
  const record = parseClaim(text);
  if (record.by === 'wrapper') return { record: withTimes(record, text, changedAtMs), verdict: null };
  const verdict = /^verdict (.*)$/m.exec(text)?.[1];
  return { record, verdict: verdict === undefined ? null : (JSON.parse(verdict) as End) };
}

/**
 * A shell without EPOCHSECONDS writes 0 rather than pay a fork for `date`: the file's own time is when its last line was
 * written, and the node's uptimes at start and end say how long lies between.
 */
function withTimes(record: Extract<ClaimRecord, { by: 'wrapper' }>, text: string, changedAtMs: number): ClaimRecord {
  const written = Math.round(changedAtMs);
  const [first, last] = [...text.matchAll(/^uptime (\d+(?:\.\d+)?)$/gm)].map((match) => Number(match[1]) * 1000);
  const end = record.end && { ...record.end, endedAtMs: record.end.endedAtMs ?? written };
  const hasStart = /^start \d+$/m.test(text);
  if (record.startedAtMs !== null || !hasStart) return { ...record, end };
  if (!end) return { ...record, startedAtMs: written };
  const lasted = first !== undefined && last !== undefined && last >= first ? last - first : null;
  return { ...record, startedAtMs: lasted === null ? null : Math.round(end.endedAtMs - lasted), end };
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
