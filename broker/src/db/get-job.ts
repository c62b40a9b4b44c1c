import type { Outcome, Reason, RunState, TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { JobSpec } from '@switchyard/core/spec/job-spec.ts';
import type { Viewer } from './as-principal.ts';
import type { Database } from './database.ts';
import type { JobSummary } from './job-summary.ts';

export type RunDetail = {
  readonly id: string;
  readonly cluster: string;
  readonly pool: string;
  readonly attempt: number;
  readonly placementNumber: number;
  readonly tasks: string;
  readonly state: RunState;
  readonly outcome: Outcome | null;
  readonly reason: Reason | null;
  readonly nativeId: string | null;
  readonly nativeState: string | null;
  readonly nativeReason: string | null;
  readonly started: string;
  readonly ends: readonly TaskEnd[];
  readonly stdoutPath: string | null;
  readonly stderrPath: string | null;
  readonly offeredAt: string;
  readonly placedAt: string | null;
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** {scores, refusals} of the placement. */
  readonly explanation: unknown;
};

export type JobDetail = JobSummary & { readonly spec: JobSpec; readonly runs: readonly RunDetail[] };

/** One job by UUID or number, with its runs in the order they were placed; null when there is none that the viewer may see. */
export function getJob(_db: Database, _viewer: Viewer, _idOrNumber: string): Promise<JobDetail | null> {
  throw new Error('not yet');
}
