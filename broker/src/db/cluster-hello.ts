import type { ClusterKind } from '@switchyard/core/spec/job-spec.ts';
import type { Database } from './database.ts';

export type Hello = {
  readonly cluster: string;
  readonly kind: ClusterKind;
  readonly fingerprint: string;
  readonly agentVersion: string;
  readonly highestPlacementNumber: number;
  readonly filesystems: readonly { readonly id: string; readonly pathPrefix: string }[];
  readonly labels: Readonly<Record<string, string>>;
  readonly backlog: number;
  readonly allowedNativeOptions: readonly string[];
};

export type HelloAnswer =
  | {
      readonly ok: true;
      readonly sessionEpoch: number;
      readonly federation: string;
      readonly placementNumber: number;
      readonly pausedReason: string | null;
    }
  | {
      readonly ok: false;
      readonly code: 'unauthenticated' | 'wrong_cluster' | 'fingerprint_taken' | 'fingerprint_changed';
      readonly sentence: string;
    };

/** Begins a session: the newest wins and fences the older. An agent that has seen more than the database holds pauses the federation. */
export function clusterHello(
  _db: Database,
  _call: { tokenHash: Buffer; hello: Hello; holder: string },
): Promise<HelloAnswer> {
  throw new Error('not yet');
}
