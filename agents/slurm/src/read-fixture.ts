import { readFileSync } from 'node:fs';

/** Recorded output for tests: `squeue/22.05/all-kinds`. */
export function readFixture(name: string): string {
  return readFileSync(new URL(`../fixtures/${name}.txt`, import.meta.url), 'utf8');
}
