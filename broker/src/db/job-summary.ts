import type { JobState, Reason } from '@switchyard/core/lifecycle/vocabulary.ts';

/** A job as lists show it; times are ISO 8601 in UTC with milliseconds, task sets are text. */
export type JobSummary = {
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly group: string;
  readonly owner: string;
  readonly state: JobState;
  readonly reason: Reason | null;
  readonly detail: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly priority: number;
  readonly taskCount: number;
  readonly tasks: {
    readonly queued: string;
    readonly out: string;
    readonly succeeded: string;
    readonly failed: string;
    readonly cancelled: string;
    readonly counts: {
      readonly queued: number;
      readonly out: number;
      readonly running: number;
      readonly succeeded: number;
      readonly failed: number;
      readonly cancelled: number;
    };
  };
  readonly isArray: boolean;
  /** Of the newest run. */
  readonly cluster: string | null;
  readonly nativeId: string | null;
  readonly nativeState: string | null;
  readonly nativeReason: string | null;
  /** Something of it is out on a cluster that has not reported for 30 s. */
  readonly unreachable: boolean;
  /** Filled in by whoever holds a plan. */
  readonly waitReason: string | null;
  readonly createdAt: string;
  readonly stateSince: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly stdoutPath: string | null;
  readonly stderrPath: string | null;
};
