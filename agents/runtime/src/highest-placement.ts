import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from './atomic-file.ts';

/** The highest placement number this agent has ever seen: how a database that went back in time is noticed. */
export type HighestPlacement = {
  value(): number;
  /** Resolves when a number at least this high is on disk; whoever acts on an offer waits for it. */
  raise(seen: number): Promise<void>;
};

export async function openHighestPlacement(stateDir: string): Promise<HighestPlacement> {
  const path = join(stateDir, 'highest-placement');
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  let written = await readNumber(path);
  let seen = written;
  let writing: Promise<void> | null = null;

  /** Many offers arrive together: one write serves all that were seen before it began. */
  const write = async () => {
    while (written < seen) {
      const next = seen;
      await writeAtomically(path, `${next}\n`);
      written = next;
    }
  };

  return {
    value: () => seen,
    raise: async (number) => {
      seen = Math.max(seen, number);
      while (written < number) {
        writing ??= write().finally(() => {
          writing = null;
        });
        await writing;
      }
    },
  };
}

async function readNumber(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '0';
    throw error;
  });
  const value = Number(text.trim());
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${path} holds '${text.slice(0, 40)}', not a number`);
  return value;
}
