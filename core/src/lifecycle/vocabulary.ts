/** The closed words of a job's life (design section 6). Everything that stores or shows a state uses these. */

export const RUN_STATES = ['offered', 'placed', 'running', 'ended'] as const;
export type RunState = (typeof RUN_STATES)[number];

/** `withdrawn` and `refused` never started; the other three did, or were cancelled before they could. */
export const OUTCOMES = ['succeeded', 'failed', 'cancelled', 'withdrawn', 'refused'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const JOB_STATES = [
  'held',
  'queued',
  'placing',
  'placed',
  'running',
  'succeeded',
  'failed',
  'cancelled',
] as const;
export type JobState = (typeof JOB_STATES)[number];

export const REASONS = [
  'exit_code',
  'signal',
  'walltime',
  'out_of_memory',
  'node_failure',
  'preempted',
  'rejected',
  'cluster_lost',
  'dependency',
  'deadline',
  'cancelled_by_user',
  'cancelled_by_admin',
  'cancelled_natively',
  'unknown_end',
] as const;
export type Reason = (typeof REASONS)[number];

/** How some tasks of a run ended; tasks that ended alike share one. */
export type TaskEnd = {
  readonly outcome: Outcome;
  /** Absent for `succeeded` and `withdrawn`. */
  readonly reason?: Reason;
  /** 0–255; absent when the payload never ran or its exit is not known. */
  readonly exitCode?: number;
  /** `KILL`, `TERM`, …, without SIG. */
  readonly signal?: string;
  /** One sentence for people: the native state and what it said. */
  readonly detail?: string;
  /** Range set in text form. */
  readonly tasks: string;
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  readonly peakMemoryBytes?: number;
  /** Node the payload started on. */
  readonly host?: string;
};
