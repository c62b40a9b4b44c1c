import type { Condition, Job, KubeObject, ObjectMeta, PodTemplate, Quantities } from '../api-types.ts';

/**
 * The parts of Kueue's objects that this agent reads, of v1beta1 and v1beta2 at once: where the two disagree on a name, both are
 * here, and the reader takes the one that is there.
 */

export type KueueVersion = 'v1beta1' | 'v1beta2';

export const KUEUE_GROUP = 'kueue.x-k8s.io';

/** On every Workload that Kueue makes for a Job; the Job's own labels are not copied unless the administrator asks for it. */
export const JOB_UID_LABEL = 'kueue.x-k8s.io/job-uid';

export type Workload = KubeObject & {
  readonly spec: {
    readonly queueName?: string;
    /** Absent means true. */
    readonly active?: boolean;
    readonly priority?: number;
    /** v1beta1. */
    readonly priorityClassName?: string;
    /** v1beta2. */
    readonly priorityClassRef?: { readonly name?: string };
    readonly podSets?: readonly PodSet[];
  };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly admission?: {
      readonly clusterQueue?: string;
      readonly podSetAssignments?: readonly {
        readonly count?: number;
        readonly flavors?: Readonly<Record<string, string>>;
        readonly resourceUsage?: Quantities;
      }[];
    } | null;
    readonly admissionChecks?: readonly { readonly name: string; readonly state: string; readonly message?: string }[];
    readonly requeueState?: { readonly count?: number; readonly requeueAt?: string | null } | null;
    readonly resourceRequests?: readonly { readonly name: string; readonly resources?: Quantities }[];
  };
};

export type PodSet = { readonly name?: string; readonly count?: number; readonly template?: PodTemplate };

export type LocalQueue = KubeObject & {
  readonly spec: { readonly clusterQueue?: string; readonly stopPolicy?: StopPolicy };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly pendingWorkloads?: number;
    readonly reservingWorkloads?: number;
    readonly admittedWorkloads?: number;
  };
};

export type StopPolicy = 'None' | 'Hold' | 'HoldAndDrain';

export type ClusterQueue = KubeObject & {
  readonly spec: {
    /** v1beta1. */
    readonly cohort?: string;
    /** v1beta2. */
    readonly cohortName?: string;
    readonly stopPolicy?: StopPolicy;
    readonly resourceGroups?: readonly ResourceGroup[];
  };
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly flavorsReservation?: readonly FlavorUsage[] | null;
    readonly pendingWorkloads?: number;
    readonly reservingWorkloads?: number;
    readonly admittedWorkloads?: number;
  };
};

export type ResourceGroup = {
  readonly coveredResources?: readonly string[];
  readonly flavors?: readonly {
    readonly name: string;
    readonly resources?: readonly {
      readonly name: string;
      readonly nominalQuota?: string | number;
      readonly borrowingLimit?: string | number | null;
      readonly lendingLimit?: string | number | null;
    }[];
  }[];
};

export type FlavorUsage = {
  readonly name: string;
  readonly resources?: readonly { readonly name: string; readonly total?: string | number }[];
};

export type Cohort = KubeObject & {
  readonly spec?: { readonly parentName?: string; readonly resourceGroups?: readonly ResourceGroup[] };
};

/** A Job with the number that the API server raises with every change of its spec, and only then. */
export type QueuedJob = Job & { readonly metadata: ObjectMeta & { readonly generation?: number } };
