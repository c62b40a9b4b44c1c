import type { TaskEnd } from '@switchyard/core/lifecycle/vocabulary.ts';
import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import type { ClusterKind, JobSpec } from '@switchyard/core/spec/job-spec.ts';

/** A run as the broker offered it, checked: the spec validated, its hash compared, the local policy applied. */
export type RunOrder = {
  readonly runId: string;
  readonly placementNumber: number;
  readonly jobId: string;
  readonly jobNumber: number;
  readonly attempt: number;
  /** Range set in text form. */
  readonly tasks: string;
  readonly spec: JobSpec;
  readonly specHash: string;
  readonly pool: string;
  readonly groupPath: string;
  readonly owner: string;
  /** `yd<fed>-<26 base32 characters>`, written into the native job. */
  readonly marker: string;
};

/** Everything known of one run; the same meaning as RunObservation on the wire. */
export type RunStatus = {
  readonly runId: string;
  readonly placementNumber: number;
  readonly placed: boolean;
  readonly nativeId: string;
  readonly nativeSubmittedAtMs: number;
  readonly nativeState: string;
  readonly nativeReason: string;
  readonly nativePool: string;
  readonly started: string;
  readonly startedAtMs: number;
  readonly ends: readonly TaskEnd[];
  readonly stdoutPath: string;
  readonly stderrPath: string;
};

export type KnownRun = {
  readonly order: Omit<RunOrder, 'spec'>;
  readonly status: RunStatus;
  readonly forgotten: boolean;
};

export type StrayJob = {
  readonly nativeId: string;
  /** Whose marker it carries: several federations may submit as the same user. */
  readonly federation: string;
  readonly runId: string;
  readonly nativeState: string;
  readonly nativeSubmittedAtMs: number;
};

export type LogRequest = {
  readonly runId: string;
  readonly task: number;
  /** Which node of a job of several nodes, where each has an output of its own; 0 is the first. */
  readonly rank: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly limitBytes: number;
  readonly waitMs: number;
};

/** The last bytes of an output that goes away with its run. */
export type LogTail = {
  readonly runId: string;
  readonly task: number;
  readonly rank: number;
  /** Where `data` begins in the whole output. */
  readonly offset: number;
  readonly data: Uint8Array;
};

export type LogSlice = { readonly data: Uint8Array; readonly end: boolean; readonly problem: string };

/**
 * One cluster, as the broker link sees it. Every call is idempotent and may be repeated for ever; none throws for a
 * state of the world (that is a status), only when the cluster itself does not answer.
 */
export type Backend = {
  readonly kind: ClusterKind;
  /** What this cluster is, whatever its name: `slurm:<ClusterName>@<controller>`. */
  fingerprint(): Promise<string>;
  capacity(): Promise<CapacityReport>;
  /** How many submits are worth having under way at the same time; the rest of a burst waits. */
  readonly concurrentSubmits: number;
  /** Afterwards the run exists at most once as something that can start; a lost answer is looked up, never guessed. */
  submit(order: RunOrder, options: { readonly observedBefore: boolean }): Promise<RunStatus>;
  /** Statuses of all runs this agent knows, from one listing; `changed` names those that differ from the last call. */
  observe(): Promise<{ readonly changed: readonly RunStatus[]; readonly strays: readonly StrayJob[] }>;
  /** Afterwards each run has either started or can never start. */
  withdraw(runId: string): Promise<RunStatus>;
  /** Takes the claim of what has not started, kills what has; the end arrives by `observe`. */
  cancel(runId: string): Promise<RunStatus>;
  /** Removes what the cluster keeps of ended runs; leaves a line in the daily log. */
  forget(runIds: readonly string[]): Promise<readonly string[]>;
  cancelStray(stray: { readonly nativeId: string; readonly runId: string }): Promise<void>;
  readLog(request: LogRequest): Promise<LogSlice>;
  /** The ends of the outputs of an ended run, where `forget` removes them with it; nothing where output is files of the user. */
  logTails(runId: string): AsyncIterable<LogTail>;
  /** All runs known here, and the forgotten ones whose placement number is above `forgottenAbove`. */
  inventory(forgottenAbove: number): Promise<readonly KnownRun[]>;
  /** How long to wait until the next `observe`, from what is about to change. */
  nextObserveMs(): number;
  /** Calls the listener whenever `observe` has news before its time; a backend that has to ask never does. */
  onNews(listener: () => void): void;
  close(): Promise<void>;
};
