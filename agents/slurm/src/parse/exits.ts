import { parseWhole } from './amounts.ts';

export type ListedExit = {
  readonly jobId: string;
  readonly exitCode: number;
  readonly signal: number | null;
  readonly restartCount: number;
};

/** Fixed columns of numbers: job, array, wait(2) status, restarts. The status is the batch script's own, all eight bits. */
export function parseExits(stdout: string): ListedExit[] {
  return stdout.split('\n').flatMap((line) => {
    const [jobId, , status, restarts] = line.trim().split(/\s+/).map(parseWhole);
    if (jobId == null || status == null || restarts == null) return [];
    const signal = status & 127;
    return [
      {
        jobId: String(jobId),
        exitCode: (status >> 8) & 255,
        signal: signal === 0 ? null : signal,
        restartCount: restarts,
      },
    ];
  });
}
