import type { NativeEvidence } from '@switchyard/core/lifecycle/evidence.ts';
import type { CapacityReport } from '@switchyard/core/placement/capacity-report.ts';
import type { ClusterKind } from '@switchyard/core/spec/job-spec.ts';
import type { RunOrder } from './backend.ts';

/**
 * What a cluster with batch scripts and a shared file system must do; claims, look-ups, evidence and logs are the runtime's
 * (`claim-backend.ts`). Slurm, LSF and local implement this and nothing else.
 */
export type NativeQueue = {
  readonly kind: ClusterKind;
  fingerprint(): Promise<string>;
  capacity(): Promise<CapacityReport>;
  /**
   * Submits the wrapper. After `submitted` the job exists; after `refused` it does not; after `unknown` it may, and
   * only the marker in a later listing tells.
   */
  submit(order: RunOrder, wrapper: WrapperJob): Promise<SubmitAnswer>;
  /** Every native job of this agent that carries a marker, from one listing; throws when the listing cannot be trusted. */
  list(): Promise<readonly NativeJob[]>;
  /** What accounting knows of native jobs that left the listing; empty where there is none. Absence proves nothing. */
  accounting(nativeIds: readonly string[]): Promise<readonly NativeJob[]>;
  /** Kills exactly these native jobs or array tasks, after checking that each still carries our marker. */
  kill(targets: readonly { readonly nativeId: string; readonly marker: string }[]): Promise<void>;
  close(): Promise<void>;
};

export type WrapperJob = {
  /** The native script, by stdin. */
  readonly script: string;
  /** The whole environment of the job, by file, NUL-separated where the cluster can; never by argv. */
  readonly environment: Readonly<Record<string, string>>;
  /** Output path templates with `%a` for the array index where the run is an array; nothing else is left to expand but `%N`. */
  readonly stdoutPath: string;
  readonly stderrPath: string;
  readonly workdir: string;
  /** Range set when the job is an array, else ''. */
  readonly arrayTasks: string;
};

export type SubmitAnswer =
  | { readonly kind: 'submitted'; readonly nativeId: string }
  | { readonly kind: 'refused'; readonly sentence: string; readonly permanent: boolean }
  | { readonly kind: 'unknown'; readonly sentence: string };

/** The native state, sorted: what the wrapper's record cannot know. `unknown` keeps its raw text and ends nothing. */
export type NativePhase = NativeEvidence['phase'];
export type NativeEnd = NonNullable<NativeEvidence['end']>;

export type NativeJob = {
  /** `123` or `123_4`: the job, or one task of an array. */
  readonly nativeId: string;
  readonly marker: string;
  /** Array tasks this line speaks of (range set); '' for a job that is no array. */
  readonly tasks: string;
  readonly phase: NativePhase;
  readonly end: NativeEnd | null;
  readonly rawState: string;
  readonly rawReason: string;
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly submittedAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly restartCount: number;
  readonly pool: string;
  readonly host: string;
};
