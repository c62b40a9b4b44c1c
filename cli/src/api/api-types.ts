import type { Amounts, PoolReport } from '@switchyard/core/placement/capacity-report.ts';
import type { Refusal, Score } from '@switchyard/core/placement/snapshot.ts';

/** A job as REST shows it in lists. Times are ISO 8601; sets of tasks are range sets as text. */
export type Job = {
  readonly id: string;
  readonly number: number;
  readonly name: string;
  readonly group: string;
  readonly owner: string;
  readonly state: string;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly priority: number;
  readonly taskCount: number;
  readonly tasks: Readonly<Record<'queued' | 'out' | 'succeeded' | 'failed' | 'cancelled', string>> & {
    readonly counts: Readonly<Record<'queued' | 'out' | 'running' | 'succeeded' | 'failed' | 'cancelled', number>>;
  };
  readonly isArray: boolean;
  /** Of the newest run. */
  readonly cluster: string | null;
  readonly nativeId: string | null;
  readonly nativeState: string | null;
  readonly nativeReason: string | null;
  readonly unreachable: boolean;
  readonly waitReason: string | null;
  readonly createdAt: string;
  readonly stateSince: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly stdoutPath: string | null;
  readonly stderrPath: string | null;
};

export type Run = {
  readonly id: string;
  readonly cluster: string;
  readonly pool: string | null;
  readonly attempt: number;
  readonly placementNumber: number;
  readonly tasks: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly nativeId: string | null;
  readonly nativeState: string | null;
  readonly nativeReason: string | null;
  readonly started: string;
  readonly offeredAt: string;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly stdoutPath: string | null;
  readonly stderrPath: string | null;
};

export type WholeJob = Job & { readonly spec: Readonly<Record<string, unknown>>; readonly runs: readonly Run[] };

export type JobEvent = {
  readonly jobId: string;
  readonly sequence: number;
  readonly at: string;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>> | null;
};

export type Page<Item> = { readonly items: readonly Item[]; readonly nextCursor: string | null };

export type DryRun = {
  readonly placements: readonly Score[];
  readonly refusals: readonly Refusal[];
  /** Why it would wait; null when a cluster would take it now. */
  readonly wait: string | null;
  readonly spec: Readonly<Record<string, unknown>>;
};

export type Cluster = {
  readonly name: string;
  readonly kind: string;
  readonly state: string;
  readonly admission: string;
  readonly software: string | null;
  readonly reportAgeMs: number | null;
  readonly reportedAt: string | null;
  readonly total: Amounts | null;
  readonly free: Amounts | null;
  readonly runningJobs: number | null;
  readonly waitingJobs: number | null;
  readonly pools: readonly PoolReport[];
  readonly notes: readonly string[];
  readonly ourWaitingTasks: number;
  readonly ourRunningTasks: number;
  readonly breakerReason: string | null;
  readonly labels: Readonly<Record<string, string>>;
};

export type Clusters = {
  readonly items: readonly Cluster[];
  readonly paused: { readonly reason: string; readonly since: string } | null;
};
