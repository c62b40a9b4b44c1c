import type { JobState } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { Viewer } from './as-principal.ts';
import type { Database } from './database.ts';
import type { JobSummary } from './job-summary.ts';

export type JobFilter = {
  readonly limit: number;
  /** Only jobs with a smaller number: the keyset. */
  readonly beforeNumber?: number;
  readonly states?: readonly JobState[];
  /** The group and all below it. */
  readonly group?: string;
  /** Jobs that have a run there. */
  readonly cluster?: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly owner?: string;
};

/** A page of jobs, newest first. */
export function listJobs(_db: Database, _viewer: Viewer, _filter: JobFilter): Promise<JobSummary[]> {
  throw new Error('not yet');
}
