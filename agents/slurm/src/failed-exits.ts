import { exitsCommand } from './commands.ts';
import { type ListedExit, parseExits } from './parse/exits.ts';
import type { ListedJob } from './parse/listing.ts';
import { answerOf, type RunSlurm } from './slurm-commands.ts';

/** A payload's own record is almost always there before this; then nobody needs the controller's exit code. */
const PATIENCE_MS = 3000;

/**
 * Exit codes of failed jobs, which `squeue --format` cannot tell: one more call for all of them together, once for each, and
 * only when they are still listed after a while.
 */
export function createFailedExits(run: RunSlurm, uid: number) {
  const known = new Map<string, { readonly seenAtMs: number; exit?: ListedExit | null }>();
  return async (jobs: readonly ListedJob[], atMs: number): Promise<ReadonlyMap<string, ListedExit>> => {
    const failed = new Map(jobs.filter((job) => job.state === 'FAILED').map((job) => [keyOf(job), job]));
    for (const key of known.keys()) if (!failed.has(key)) known.delete(key);
    for (const key of failed.keys()) if (!known.has(key)) known.set(key, { seenAtMs: atMs });
    const due = [...known].filter(([, entry]) => entry.exit === undefined && atMs - entry.seenAtMs >= PATIENCE_MS);
    if (due.length > 0) {
      const exits = await readExits(run, uid);
      for (const [key, entry] of due) entry.exit = exits.get(failed.get(key)!.jobId) ?? null;
    }
    return new Map([...known].flatMap(([key, { exit }]) => (exit ? [[failed.get(key)!.jobId, exit]] : [])));
  };
}

/** Numbers are used again, and a requeued job fails twice. */
function keyOf({ jobId, endAtMs }: ListedJob): string {
  return `${jobId} ${endAtMs}`;
}

/** Only a nicety: without it the listing is as good as before. */
async function readExits(run: RunSlurm, uid: number): Promise<Map<string, ListedExit>> {
  const text = await answerOf(run, exitsCommand(String(uid))).catch(() => '');
  return new Map(parseExits(text).map((exit) => [exit.jobId, exit]));
}
