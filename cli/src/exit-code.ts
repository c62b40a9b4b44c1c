/** What `yard` exits with, the same for every command (docs/cli.md). */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  /** Nothing can ever run the job. */
  unsatisfiable: 3,
  notFound: 4,
  /** Not allowed, or over a quota. */
  refused: 5,
  /** `wait` and `submit --wait`: yard itself failed, so the code says nothing about the job. */
  yardFailed: 125,
  /** Ctrl-C, as a shell counts it. */
  interrupted: 130,
} as const;

type JobEnd = { readonly state: string; readonly exitCode: number | null; readonly signal: string | null };

/**
 * The code of a job that ended: its own; 128+n for a signal; 1 where it failed without one (walltime, memory, a mixed array); 143 where it was cancelled,
 * as if ended by TERM, so that it is never taken for Ctrl-C on the wait (130).
 */
export function exitCodeOf(job: JobEnd): number {
  if (job.state === 'succeeded') return EXIT.ok;
  if (job.signal) return 128 + (signalNumbers[job.signal] ?? 0);
  if (job.state === 'cancelled') return 143;
  return job.exitCode || EXIT.error;
}

/** Linux numbers, whatever this machine is: the signal was sent on the cluster (signal(7)). */
const signalNumbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  XCPU: 24,
  XFSZ: 25,
};
