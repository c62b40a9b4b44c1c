import { readFileSync } from 'node:fs';

/** VmRSS in megabytes, as ps shows it. */
export function residentMB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1000;
}
