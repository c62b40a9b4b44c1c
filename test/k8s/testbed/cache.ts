import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder of the Go module. */
export const MODULE = import.meta.dirname;

/** Raised when what `build.ts` puts into an entry changes. */
const LAYOUT = 1;

/** The programs of one cache entry. */
export const PROGRAMS = ['kube', 'kwok', 'kueue', 'coredns'] as const;

/** Where the built programs lie: outside the checkout, so that a clean copy and every branch share them. */
export function cacheEntry(): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const cache = process.env['SWITCHYARD_TESTBED_CACHE'] || join(base, 'switchyard');
  return join(cache, 'kubernetes-testbed', keyOfSources());
}

/** Path of a built program. */
export function built(program: (typeof PROGRAMS)[number]): string {
  return join(cacheEntry(), program);
}

function keyOfSources(): string {
  const hash = createHash('sha256').update(`${LAYOUT} ${process.arch}`);
  for (const file of globSync('{.,kwok,cmd/*}/*.{go,mod,sum}', { cwd: MODULE }).sort()) {
    hash.update(`\n${file}\n`).update(readFileSync(join(MODULE, file)));
  }
  return hash.digest('hex').slice(0, 16);
}
