import type { Database } from './database.ts';
import type { Session } from './session.ts';

export type PendingOffer = {
  readonly runId: string;
  readonly placementNumber: number;
  readonly jobId: string;
  readonly jobNumber: number;
  readonly attempt: number;
  readonly tasks: string;
  readonly specJson: string;
  readonly specHash: string;
  readonly pool: string;
  /** The agent may look for it and report, never submit. */
  readonly observedBefore: boolean;
  readonly groupPath: string;
  readonly owner: string;
};

export type PendingLogRead = {
  readonly readId: string;
  readonly runId: string;
  readonly task: number;
  readonly stream: 'stdout' | 'stderr';
  readonly offset: number;
  readonly limitBytes: number;
  readonly waitMs: number;
};

export type PendingMessages = {
  readonly offers: readonly PendingOffer[];
  readonly withdraws: readonly string[];
  readonly cancels: readonly string[];
  readonly forgets: readonly string[];
  /** Each is given once per session. */
  readonly logReads: readonly PendingLogRead[];
  /** Empty while the federation is paused. */
  readonly cancelStrays: readonly { readonly nativeId: string; readonly runId: string }[];
  /** The highest of the federation, for PlacementNumber. */
  readonly placementNumber: number;
  readonly pausedReason: string | null;
  /** The federation was paused after this session's hello: only a new session brings the inventory that is needed now. */
  readonly mustReconnect: boolean;
};

export type MessageLimits = { readonly offers?: number; readonly others?: number };

/** Everything that the runs of a cluster need from its agent now; the same again until they have moved. Null: fenced. */
export function pendingMessages(
  _db: Database,
  _session: Session,
  _limits?: MessageLimits,
): Promise<PendingMessages | null> {
  throw new Error('not yet');
}
