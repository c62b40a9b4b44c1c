import type { ClusterKind, JobSpec } from '../spec/job-spec.ts';
import type { RangeSet } from '../spec/range-set.ts';
import type { CapacityReport } from './capacity-report.ts';

/** Everything placement may look at, as values. The same snapshot gives the same plan. */
export type Snapshot = {
  /** In queue order already (priority, fair share, age, number); see queue-order. */
  readonly jobs: readonly WaitingJob[];
  readonly clusters: readonly ClusterView[];
  /** Not null: nothing is placed, and this sentence says why. */
  readonly pausedReason: string | null;
};

export type WaitingJob = {
  readonly id: string;
  readonly number: number;
  readonly groupPath: string;
  readonly owner: string;
  readonly priority: number;
  readonly createdAtMs: number;
  readonly spec: JobSpec;
  readonly isArray: boolean;
  /** Tasks without a run. */
  readonly queued: RangeSet;
  /** Tasks that are out: offered and not ended. */
  readonly outTasks: number;
  readonly maxRunning: number | null;
  readonly notBeforeMs: number | null;
  /** Clusters that refused this job or lost it: others are preferred. */
  readonly avoidClusters: readonly string[];
  /** `unmet`: waits; `impossible`: a dependency ended otherwise. */
  readonly dependency: 'met' | 'unmet' | 'impossible';
};

export type ClusterView = {
  readonly name: string;
  readonly kind: ClusterKind;
  readonly admission: 'active' | 'cordoned' | 'draining';
  readonly labels: Readonly<Record<string, string>>;
  readonly filesystems: readonly { readonly id: string; readonly pathPrefix: string }[];
  readonly allowedNativeOptions: readonly string[];
  /** Null until the first report. */
  readonly report: CapacityReport | null;
  readonly reportedAtMs: number | null;
  /** A live session whose inventory has been reconciled. */
  readonly connected: boolean;
  readonly breakerReason: string | null;
  /** How many waiting tasks of ours the cluster may hold. */
  readonly backlog: number;
  /** Our tasks there that are offered or placed and have not started. */
  readonly waitingTasks: number;
  /** Our runs there offered or placed without a start, as the sizes they will take: not in `report.free` yet. */
  readonly unstarted: readonly {
    readonly pool: string;
    readonly cpus: number;
    readonly memoryMiB: number;
    readonly gpus: number;
    readonly offeredAtMs: number;
  }[];
  /** Runs offered and not yet observed; the session sends at most 64. */
  readonly unansweredOffers: number;
  /** Tasks of ours ever placed there, for round-robin and ties. */
  readonly placedCount: number;
};

/** Why a cluster cannot take a job now. The kind is the metric label; `permanent` ones will not change by waiting. */
export const REFUSAL_KINDS = [
  'paused',
  'constraint_cluster',
  'constraint_kind',
  'constraint_label',
  'constraint_feature',
  'filesystem',
  'native_option',
  'pool_unknown',
  'pool_down',
  'pool_walltime',
  'pool_nodes',
  'never_fits_cpus',
  'never_fits_memory',
  'never_fits_gpus',
  'array_index',
  'image',
  'cordoned',
  'draining',
  'never_reported',
  'stale_report',
  'disconnected',
  'breaker_open',
  'backlog_full',
  'submit_limit',
  'avoided',
] as const;
export type RefusalKind = (typeof REFUSAL_KINDS)[number];

export type Refusal = {
  readonly cluster: string;
  readonly kind: RefusalKind;
  readonly permanent: boolean;
  /** `partition 'short' allows 01:00:00, the job asks for 02:00:00`. */
  readonly sentence: string;
};

export type Score = { readonly cluster: string; readonly pool: string; readonly score: number; readonly why: string };

export type Placement = {
  readonly jobId: string;
  readonly cluster: string;
  readonly pool: string;
  readonly tasks: RangeSet;
  /** Best first; the first one was chosen. */
  readonly scores: readonly Score[];
  readonly refusals: readonly Refusal[];
};

/** A job that gets nothing (more) in this cycle, and why. */
export type Wait = {
  readonly jobId: string;
  readonly kind:
    | 'held'
    | 'start_after'
    | 'dependency'
    | 'max_running'
    | 'backoff'
    | 'no_cluster'
    | 'no_cluster_ever'
    | 'paused';
  readonly sentence: string;
  readonly refusals: readonly Refusal[];
};

export type Plan = {
  readonly placements: readonly Placement[];
  readonly waits: readonly Wait[];
  /** Jobs that can never start: impossible dependency or start deadline passed. */
  readonly dead: readonly {
    readonly jobId: string;
    readonly reason: 'dependency' | 'deadline';
    readonly sentence: string;
  }[];
};

export const POLICIES = ['least-loaded', 'round-robin'] as const;
export type PolicyName = (typeof POLICIES)[number];

export type PlacementSettings = {
  readonly policy: PolicyName;
  /** Older reports are not placed upon. */
  readonly staleAfterMs: number;
  /** At most this many placements in one cycle. */
  readonly limit: number;
};

/** place(snapshot, nowMs, settings) → Plan stands in `place.ts`. */
export type Place = (snapshot: Snapshot, nowMs: number, settings: PlacementSettings) => Plan;
